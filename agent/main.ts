import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Target } from '../proto/gen/fraisier/v1/plan.js';
import { agentAddresses } from './addresses.js';
import { systemClock } from './clock.js';
import {
  processEnvironment,
  readConfig,
  type AgentConfig,
  type AgentOptions,
  type Environment,
} from './config.js';
import { stayConnected } from './connection.js';
import { dialGrpc } from './dial.js';
import { systemDisk } from './disk.js';
import { enrol } from './enrolment.js';
import { executorFor } from './exec/choose.js';
import { systemdHere } from './exec/systemd.js';
import { hostAsks } from './host-asks.js';
import { IdentityStore, notEnrolled } from './identity.js';
import { readJoinToken } from './join-token.js';
import { Lease } from './lease.js';
import { LiveFraises, type FoundLive } from './live.js';
import { createLogger } from './logger.js';
import { loadPolicy } from './policy.js';
import { answerQuestion } from './questions.js';
import { startRenewal } from './renewal.js';
import { Runs } from './runs.js';
import { lockState } from './state-lock.js';
import { originOf } from './steps/checkout.js';
import { checkPolicy, runStep } from './steps/index.js';
import { liveCommit, placeOf, type OnHost } from './steps/place.js';
import { isInPlace, readReleaseMark } from './steps/release-layout.js';
import { agentVersion } from './version.js';

export { allowInPolicy, type Allowed } from './allow.js';
export type { AgentOptions } from './config.js';
export { installAgent, type InstallOptions } from './install.js';

/** From SIGTERM to SIGKILL of a command. */
const GRACE_MS = 10_000;
/** What the unit does not restart after: only a new join token helps. */
const EXIT_REVOKED = 5;

/** What the process around the agent hands in; by default SIGTERM and SIGINT end it, and the environment is the process's own. */
export interface AgentDeps {
  readonly signal?: AbortSignal;
  readonly environment?: Environment;
  readonly logger?: Logger;
}

/**
 * Runs the agent until it is told to stop (exit code 0; what runs on the host goes on and is taken up by the next start)
 * or was revoked (5). Throws FraisierError when it cannot begin: not enrolled, a token refused, the state folder in use.
 */
export async function runAgent(options: AgentOptions, deps: AgentDeps = {}): Promise<number> {
  const config = readConfig(options, deps.environment ?? processEnvironment(), process.getuid?.() ?? 0);
  const logger = deps.logger ?? createLogger(config.logLevel);
  const signal = deps.signal ?? stopSignal();
  const lock = await lockState(config.state);
  try {
    return await serve(config, logger, signal);
  } finally {
    await lock.release();
  }
}

async function serve(config: AgentConfig, logger: Logger, signal: AbortSignal): Promise<number> {
  const host = await thisAgent(config, logger);
  await host.runs.open();
  try {
    await enrolIfTold(config, host, signal);
    const end = await stayConnected(host, signal);
    return end === 'revoked' ? EXIT_REVOKED : 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await host.runs.leave();
  }
}

/** The one container: every port of the agent bound to this machine. */
async function thisAgent(config: AgentConfig, logger: Logger) {
  const [clock, disk, systemd, lease] = [systemClock, systemDisk, systemdHere(), new Lease(systemClock)];
  const bootId = Buffer.from((await disk.read('/proc/sys/kernel/random/boot_id')) ?? [])
    .toString()
    .trim();
  const identities = new IdentityStore(disk, config.state);
  const policy = () => loadPolicy(config.policy);
  const common = {
    clock,
    disk,
    lease,
    bootId,
    logger,
    random: Math.random,
    agentVersion: await agentVersion(),
  };
  const host = { stateFolder: config.state, systemd, loadPolicy: policy };
  const runs = new Runs({
    ...common,
    ...host,
    exec: executorFor(),
    graceMs: GRACE_MS,
    runStep,
    checkPolicy,
    liveRelease: (target) => liveNow({ target, stateFolder: config.state }),
    originOf: originNow,
  });
  const fraises = new LiveFraises(
    { disk, look: (target) => lookAt({ target, stateFolder: config.state }) },
    config.state,
  );
  const asks = hostAsks(host);
  return {
    ...common,
    identities,
    runs,
    instanceId: randomUUID(),
    live: () => fraises.list(),
    remember: (target: Target) => fraises.remember(target),
    answer: (question: Parameters<typeof answerQuestion>[1], signal: AbortSignal) =>
      answerQuestion({ asks, clock }, question, signal),
    learnControllers: (addresses: readonly string[]) => identities.setControllers(addresses),
    startRenewal: startRenewal({ clock, identities }),
    dial: dialGrpc(() => identities.valid(clock.now())),
    addresses: async () => agentAddresses(await identities.controllers(), config.controllers),
  };
}

async function enrolIfTold(
  config: AgentConfig,
  host: Awaited<ReturnType<typeof thisAgent>>,
  signal: AbortSignal,
): Promise<void> {
  const token = await readJoinToken(config);
  if (token === null) {
    if ((await host.identities.load()) === null) throw notEnrolled();
    return;
  }
  const done = await enrol(host, { controllers: config.controllers, token }, signal);
  if (done === 'already') host.logger.info('enrolled already: the join token is not used');
}

/** What cannot be read counts as nothing live: the run's end must not wait for it. */
function liveNow(host: OnHost): Promise<string> {
  return liveCommit(host).catch(() => '');
}

async function lookAt(host: OnHost): Promise<FoundLive> {
  const release = await liveNow(host);
  const mark = release === '' ? null : await readReleaseMark(placeOf(host), release);
  const origin = await originNow(host.target);
  return { release, provenGood: (mark?.provenGoodAt ?? null) !== null, origin };
}

async function originNow(target: Target): Promise<string> {
  return isInPlace(target) ? originOf(target.appPath).catch(() => '') : '';
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  return stop.signal;
}
