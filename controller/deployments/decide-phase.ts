import type { Decision, Situation } from './decide.js';
import type { RunRow } from './ledger/run.js';
import type { RunPhase } from './lifecycle.js';
import { reason } from './reason.js';
import { isOpen, isToRedo, type LatestRuns } from './runs-of-deployment.js';

/** A phase on these hosts: begun where it was not yet, or is to be done again; waited for; or done, however it ended. */
export function phaseOn(
  situation: Situation,
  hosts: readonly string[],
  phase: RunPhase,
  latest: LatestRuns,
): Decision | 'done' {
  const due = hosts.filter((host) => isDue(situation, latest.of(host, phase)));
  if (due.length > 0) return { start: due.map((host) => startOf(host, phase, latest)) };
  const open = latest.inPhase(phase).filter((run) => hosts.includes(run.host) && isOpen(run));
  return open.length > 0 ? waitFor(open) : 'done';
}

/** Whether it was not begun, or is to be done again. */
export function isDue({ deployment }: Situation, run: RunRow | undefined): boolean {
  return run === undefined || isToRedo(deployment, run);
}

/** The next attempt. */
export function startOf(host: string, phase: RunPhase, latest: LatestRuns) {
  return { host, phase, attempt: (latest.of(host, phase)?.attempt ?? 0) + 1 };
}

/** Until they end. */
export function waitFor(open: readonly RunRow[]): Decision {
  const message = open.map((run) => `${run.phase} on ${run.host} is ${run.status}`).join(', ');
  return { wait: { reason: reason('waiting_for_host', message), until: null } };
}
