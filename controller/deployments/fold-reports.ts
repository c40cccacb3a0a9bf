import { FraisierError } from '../../proto/error-codes.js';
import type { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { foldEvent } from './fold-event.js';
import type { ReportedRuns } from './ledger/report.js';
import type { RunRow } from './ledger/run.js';
import { runHasEnded } from './lifecycle.js';
import type { Report } from './record-progress.js';

/** A run that was reported on; `after` is the same object as `before` when nothing new was said of it. */
export interface FoldedRun {
  readonly before: RunRow;
  readonly after: RunRow;
  /** How many events were told of it, repeated ones too. */
  readonly events: number;
}

export interface FoldedReports {
  readonly runs: ReadonlyMap<string, FoldedRun>;
  /** New ones, each run's in the order of their numbers. */
  readonly events: readonly RunEvent[];
  /** Those whose numbers are known: they must be the very ones that are. */
  readonly repeated: readonly RunEvent[];
  /** Runs that ended, in that order, with what they left live. */
  readonly ended: readonly { readonly run: RunRow; readonly release: string; readonly origin: string }[];
}

/** Folds reports into the runs that are held for them. Pure. Throws FraisierError `protocol_violation`. */
export function foldReports({ runs: held, now }: ReportedRuns, reports: readonly Report[]): FoldedReports {
  const runs = new Map(
    held.map((run): [string, FoldedRun] => [run.id, { before: run, after: run, events: 0 }]),
  );
  const [events, repeated, ended]: [RunEvent[], RunEvent[], FoldedReports['ended'][number][]] = [[], [], []];
  for (const { $case, value } of reports.flatMap(({ messages }) => messages)) {
    const run = runs.get(value.runId) as FoldedRun;
    if ($case === 'log') {
      checkStep(run.before, value.step);
      continue;
    }
    const { isNew, after, live } = fold(run.after, value, now);
    runs.set(value.runId, { before: run.before, after, events: run.events + 1 });
    (isNew ? events : repeated).push(value);
    if (live !== null) ended.push({ run: after, ...live });
  }
  return { runs, events, repeated, ended };
}

function fold(
  run: RunRow,
  event: RunEvent,
  now: Date,
): {
  readonly isNew: boolean;
  readonly after: RunRow;
  readonly live: { readonly release: string; readonly origin: string } | null;
} {
  const { seq } = event;
  // Numbers begin at 1: there is none before it that could be known.
  if (seq >= 1 && seq <= run.lastSeq) return { isNew: false, after: run, live: null };
  if (seq !== run.lastSeq + 1)
    throw violation(run.host, `reports event ${seq} of ${run.id}, but ${run.lastSeq} is the last one known`);
  if (runHasEnded(run.status)) return { isNew: true, after: { ...run, lastSeq: seq }, live: null };
  const folded = foldEvent(run, event, now);
  if ('illegal' in folded) throw violation(run.host, folded.illegal);
  return { isNew: true, after: { ...run, ...folded.row, status: folded.to }, live: folded.live };
}

function checkStep(run: RunRow, step: string): void {
  if (!run.steps.some(({ name }) => name === step))
    throw violation(run.host, `sends output of ${step}, which ${run.id} has not`);
}

/** An honest agent does not do this. */
export function violation(agent: string, what: string): FraisierError {
  return new FraisierError('protocol_violation', `the agent on ${agent} ${what}`, { facts: { host: agent } });
}
