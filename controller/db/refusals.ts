import { FraisierError } from '../../proto/error-codes.js';

/** A move that the transition table does not have: a mistake of the caller, nothing was written. */
export function illegalMove(what: 'deployment' | 'run', id: string, from: string, to: string): FraisierError {
  return new FraisierError('internal', `${what} ${id} cannot go from ${from} to ${to}`, {
    facts: { from, to },
  });
}

const REFUSALS = {
  one_active_deployment: () =>
    new FraisierError('deployment_running', 'another deployment of this fraise and environment is under way'),
  one_run_per_attempt: () =>
    new FraisierError('internal', 'there is a run of this phase and attempt on this host already'),
  tb_deployment_request_id_key: () =>
    new FraisierError('internal', 'this request has made a deployment already', {
      facts: { request: 'known' },
    }),
} as const;

/** What the ledger says when a unique rule of its schema would be broken. */
export function refusedBy(constraint: keyof typeof REFUSALS): FraisierError {
  return REFUSALS[constraint]();
}

/** Awaits `work`; a broken rule that has a sentence of its own is told in it. */
export async function orRefused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { constraint = '' } = error as { constraint?: string };
    throw Object.hasOwn(REFUSALS, constraint) ? refusedBy(constraint as keyof typeof REFUSALS) : error;
  }
}
