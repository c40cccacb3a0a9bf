import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import type { RunRow } from './ledger/run.js';

export { reason };

/** Why a run ended badly, as the reason of the deployment it belongs to: the host and phase are named. */
export function failureOf(run: RunRow): Reason {
  const why = run.reason ?? reason('run_failed', `the run ended ${run.status}`);
  return {
    ...why,
    message: `${run.phase} on ${run.host}: ${why.message}`,
    facts: { ...why.facts, host: run.host, phase: run.phase, run_status: run.status },
  };
}

/** The reason of a deployment that somebody cancelled. */
export function cancelledBy(who: string): Reason {
  return reason('cancelled', `cancelled by ${who}`, { facts: { by: who } });
}

/** The same reason with more facts, e.g. what became of the migration. */
export function withFacts(why: Reason, facts: Readonly<Record<string, string>>): Reason {
  return { ...why, facts: { ...why.facts, ...facts } };
}
