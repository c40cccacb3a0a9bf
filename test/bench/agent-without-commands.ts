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
import type { ControllerStream } from '../../agent/transport.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Answer, Question } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';

/** Lines that the install of such an agent prints. */
export const INSTALL_LINES = 100;

const EVERYTHING = {
  ...{ file: 'policy.yaml', repositories: [], paths: [], units: [], unit_files: [], users: [], commands: [] },
};

/** What such an agent does instead of running commands and looking at its host. */
export interface Ways {
  /** Default: prints a hundred lines for every command. */
  readonly play: (step: Step, context: StepContext, live: { release: string }) => Promise<StepEnd>;
  /** Default: refuses. */
  readonly answer: (question: Question) => Promise<Answer>;
  /** Told of every connection it makes. */
  readonly connected: (stream: ControllerStream) => void;
}

/**
 * The real agent (identity, connection, journal, output) whose steps do nothing but print: so that many fit on one machine.
 * Enrols, and stays connected until the signal aborts.
 */
export async function agentWithoutCommands(
  folder: string,
  order: EnrolmentOrder,
  signal: AbortSignal,
  ways: Partial<Ways> = {},
): Promise<void> {
  const { play, answer, connected } = { ...USUAL, ...ways };
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
  const dial = dialGrpc(() => identities.valid(clock.now()));
  const ports = {
    ...{ ...common, runs, instanceId: randomUUID() },
    live: () => fraises.list(),
    remember: () => Promise.resolve(),
    answer,
    learnControllers: () => Promise.resolve(),
    startRenewal: startRenewal({ clock, identities }),
    dial: async (address: string) => {
      const stream = await dial(address);
      connected(stream);
      return stream;
    },
    addresses: () => identities.controllers(),
  };
  await stayConnected(ports, signal);
  await runs.leave();
}

const USUAL: Ways = {
  play: async (step, context, live) => {
    if (step.action?.$case === 'command')
      for (let line = 1; line <= INSTALL_LINES; line += 1) await context.log(`line ${line} of an install`);
    return playQuietly(step, context, live);
  },
  answer: () => Promise.reject(new FraisierError('usage', 'an agent of the bench answers no questions')),
  connected: () => undefined,
};

/** Every step succeeds; which release is live is remembered. */
export function playQuietly(
  { action }: Step,
  { commit }: Pick<StepContext, 'commit'>,
  live: { release: string },
): Promise<StepEnd> {
  if (action?.$case === 'preflight') return Promise.resolve(succeeded({ previousRelease: live.release }));
  if (action?.$case === 'activate') live.release = commit;
  return Promise.resolve(succeeded());
}
