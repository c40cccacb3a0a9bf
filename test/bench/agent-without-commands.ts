import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { systemClock } from '../../agent/clock.js';
import { stayConnected } from '../../agent/connection.js';
import { dialGrpc } from '../../agent/dial.js';
import { systemDisk } from '../../agent/disk.js';
import { enrol, type EnrolmentOrder } from '../../agent/enrolment.js';
import { childProcessExec } from '../../agent/exec/child-process.js';
import { IdentityStore } from '../../agent/identity.js';
import { Lease } from '../../agent/lease.js';
import { LiveFraises } from '../../agent/live.js';
import { startRenewal } from '../../agent/renewal.js';
import { Runs } from '../../agent/runs.js';
import { succeeded } from '../../agent/steps/ends.js';
import type { StepContext, StepEnd } from '../../agent/steps/step.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';

/** Lines that the install of such an agent prints. */
export const INSTALL_LINES = 100;

const EVERYTHING = {
  ...{ file: 'policy.yaml', repositories: [], paths: [], units: [], unit_files: [], users: [], commands: [] },
};

/**
 * The real agent (identity, connection, journal, output) whose steps do nothing but print: so that many fit on one machine.
 * Enrols, and stays connected until the signal aborts.
 */
export async function agentWithoutCommands(
  folder: string,
  order: EnrolmentOrder,
  signal: AbortSignal,
): Promise<void> {
  const logger = pino({ level: 'silent' });
  const [clock, disk, lease] = [systemClock, systemDisk, new Lease(systemClock)];
  const identities = new IdentityStore(disk, folder);
  const common = { clock, disk, lease, bootId: 'bench', logger, random: Math.random, agentVersion: 'bench' };
  const live = { release: '' };
  const runs = new Runs({
    ...common,
    ...{ stateFolder: folder, systemd: null, graceMs: 1_000, exec: childProcessExec() },
    runStep: (step, context) => play(step, context, live),
    loadPolicy: () => Promise.resolve(EVERYTHING),
    checkPolicy: () => Promise.resolve(null),
    liveRelease: () => Promise.resolve(live.release),
    originOf: () => Promise.resolve(''),
  });
  await runs.open();
  await enrol({ ...common, identities }, order, signal);
  const fraises = new LiveFraises(
    { disk, look: () => Promise.resolve({ release: live.release, origin: '', provenGood: true }) },
    folder,
  );
  const ports = {
    ...{ ...common, runs, instanceId: randomUUID() },
    live: () => fraises.list(),
    remember: () => Promise.resolve(),
    answer: () => Promise.reject(new FraisierError('usage', 'an agent of the bench answers no questions')),
    learnControllers: () => Promise.resolve(),
    startRenewal: startRenewal({ clock, identities }),
    dial: dialGrpc(() => identities.valid(clock.now())),
    addresses: () => identities.controllers(),
  };
  await stayConnected(ports, signal);
  await runs.leave();
}

async function play(
  { action }: Step,
  { log, commit }: StepContext,
  live: { release: string },
): Promise<StepEnd> {
  const kind = action?.$case;
  if (kind === 'preflight') return succeeded({ previousRelease: live.release });
  if (kind === 'activate') live.release = commit;
  if (kind === 'command')
    for (let line = 1; line <= INSTALL_LINES; line += 1) await log(`line ${line} of an install`);
  return succeeded();
}
