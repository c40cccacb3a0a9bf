import { existsSync } from 'node:fs';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';
import { allowInPolicy, type Allowed } from './allow.js';
import { systemClock, type Clock } from './clock.js';
import {
  processEnvironment,
  readConfig,
  type AgentConfig,
  type AgentOptions,
  type Environment,
} from './config.js';
import { systemDisk } from './disk.js';
import { enrol } from './enrolment.js';
import { runProgram } from './exec/run-program.js';
import { hasEnded, IdentityStore, notEnrolled } from './identity.js';
import { readJoinToken } from './join-token.js';
import { createLogger } from './logger.js';
import { lockState } from './state-lock.js';
import { agentUnit, UNIT_NAME } from './unit-file.js';
import { agentVersion } from './version.js';

const SYSTEMCTL_MS = 60_000;
const ENROL_MS = 60_000;
/** A unit of `Type=exec` is active as soon as it runs; this long it must stay so. */
const SETTLE_MS = 2_000;

export interface InstallOptions extends AgentOptions, Allowed {}

/** What installing does to a machine; handed in for tests. */
export interface InstallPorts {
  readonly root: boolean;
  readonly systemd: boolean;
  readonly unitFolder: string;
  readonly systemctl: (
    ...args: string[]
  ) => Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }>;
  readonly clock: Clock;
  readonly environment: Environment;
  /** The program the unit starts: this node and this script. */
  readonly program: readonly [node: string, script: string];
}

/**
 * Makes this host an agent, as root: widens the policy, enrols with the token (which stays in no file and no argument),
 * writes and starts the unit `fraisier-agent.service`. May be repeated. Returns what it did, a sentence each.
 * Throws FraisierError when it cannot, with what to do.
 */
export async function installAgent(
  options: InstallOptions,
  given?: InstallPorts,
): Promise<readonly string[]> {
  const ports = given ?? (await thisMachine());
  mustBeAble(ports);
  const config = readConfig(options, ports.environment, 0);
  const allowed = await allow(config, options);
  const enrolled = await enrolNow(ports, config);
  const unit = join(ports.unitFolder, UNIT_NAME);
  await mkdir(ports.unitFolder, { recursive: true });
  await writeFile(unit, agentUnit(ports.program, config), { mode: 0o644 });
  for (const args of [['daemon-reload'], ['enable', UNIT_NAME], ['restart', UNIT_NAME]])
    await must(ports, args);
  await mustStayActive(ports);
  return [...allowed, ...enrolled, `wrote ${unit}`, `enabled and started ${UNIT_NAME}; it is active`];
}

function mustBeAble({ root, systemd }: InstallPorts): void {
  if (!root) {
    throw new FraisierError('usage', 'installing the agent needs root', {
      hint: 'run it with sudo, or run `fraisier agent` as this user without a unit',
    });
  }
  if (systemd) return;
  throw new FraisierError('usage', 'systemd is not running here, so there is no unit to install', {
    hint: 'run `fraisier agent` under whatever starts services on this host',
  });
}

async function allow({ policy }: AgentConfig, options: Allowed): Promise<readonly string[]> {
  const { repositories = [], paths = [], units = [], unit_files = [], users = [], commands = [] } = options;
  const { credential = {} } = options;
  const lists = { repositories, paths, units, unit_files, users, commands };
  const added = await allowInPolicy({ policy, ...lists, credential });
  return Object.entries(added).map(([key, values]) => `allowed ${key} in ${policy}: ${values.join(', ')}`);
}

async function enrolNow(ports: InstallPorts, config: AgentConfig): Promise<readonly string[]> {
  const identities = new IdentityStore(systemDisk, config.state);
  const identity = await identities.load();
  if (identity !== null && !hasEnded(identity, ports.clock.now())) return ['enrolled already'];
  const token = await readJoinToken(config);
  if (token === null) throw notEnrolled();
  await ports.systemctl('stop', UNIT_NAME);
  const lock = await lockState(config.state);
  const late = AbortSignal.timeout(ENROL_MS);
  try {
    const edges = {
      identities,
      clock: ports.clock,
      random: Math.random,
      agentVersion: await agentVersion(),
      logger: createLogger(config.logLevel),
    };
    await enrol(edges, { controllers: config.controllers, token }, late);
    return ['enrolled with the controller'];
  } catch (error) {
    if (!late.aborted) throw error;
    throw new FraisierError(
      'controller_away',
      `no controller answered for ${ENROL_MS / 1000} s at ${config.controllers.join(', ')}`,
      { cause: error },
    );
  } finally {
    await lock.release();
  }
}

async function must(ports: InstallPorts, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await ports.systemctl(...args);
  if (exitCode === 0) return;
  throw new FraisierError(
    'internal',
    `systemctl ${args.join(' ')} failed: ${stderr.trim() || `exit status ${exitCode}`}`,
    {
      hint: `systemctl status ${UNIT_NAME}`,
    },
  );
}

async function mustStayActive(ports: InstallPorts): Promise<void> {
  await ports.clock.sleep(SETTLE_MS, new AbortController().signal);
  const { stdout } = await ports.systemctl('show', '--property=ActiveState,NRestarts', UNIT_NAME);
  if (/^ActiveState=active$/m.test(stdout) && /^NRestarts=0$/m.test(stdout)) return;
  throw new FraisierError('internal', `${UNIT_NAME} was started and did not stay up`, {
    hint: `journalctl -u ${UNIT_NAME}`,
  });
}

async function thisMachine(): Promise<InstallPorts> {
  return {
    root: process.getuid?.() === 0,
    systemd: existsSync('/run/systemd/system'),
    unitFolder: '/etc/systemd/system',
    systemctl: (...args) => runProgram(['systemctl', ...args], { timeoutMs: SYSTEMCTL_MS }),
    clock: systemClock,
    environment: processEnvironment(),
    program: [process.execPath, await realpath(process.argv[1] ?? '')],
  };
}
