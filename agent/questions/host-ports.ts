import { FraisierError } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { minimalEnvironment } from '../exec/environment.js';
import { runProgram } from '../exec/run-program.js';
import { ownUser } from '../exec/users.js';
import type { Policy } from '../policy.js';
import type { RunGit } from '../steps/git.js';
import { bringCommit } from '../steps/mirror.js';
import type { Wanted } from '../steps/mirror.js';
import type { Systemd } from '../steps/step.js';

/** What answers to questions may touch. They read; only the agent's own mirrors may grow by a fetch. */
export interface HostPorts {
  readonly stateFolder: string;
  readonly systemd: Systemd | null;
  readonly policy: Policy;
  /** Aborts when the answer comes too late for anybody. */
  readonly signal: AbortSignal;
}

/** Longest time one git may take for an answer; the question's own deadline comes first, as a rule. */
const GIT_LIMIT_MS = 10 * 60_000;

/** Git for an answer: it dies with the question's deadline or the agent, and is started again by whoever asks again. */
export function questionGit(ports: Pick<HostPorts, 'signal'>): RunGit {
  const surroundings = minimalEnvironment(ownUser());
  return async ({ argv, environment = {} }) => {
    const options = {
      timeoutMs: GIT_LIMIT_MS,
      environment: { ...surroundings, ...environment },
      signal: ports.signal,
    };
    const end = await runProgram(argv, options);
    if (end.exitCode !== null)
      return { ended: 'exited', exitCode: end.exitCode, output: end.stdout, errors: end.stderr };
    throw new FraisierError('no_answer', 'git did not answer in time', { cause: new Error(end.problem) });
  };
}

/** Returns when the commit is in the mirror; throws FraisierError with the reason when it cannot be had. */
export async function mustBring(git: RunGit, wanted: Wanted): Promise<void> {
  const brought = await bringCommit(git, wanted);
  if (brought.is === 'refused') throw errorOf(brought.reason);
}

/** A reason as the error that carries it. */
export function errorOf(why: Reason): FraisierError {
  const { code, message, hint, facts } = why;
  return new FraisierError(code as FraisierErrorCode, message, { hint, facts });
}

type FraisierErrorCode = ConstructorParameters<typeof FraisierError>[0];
