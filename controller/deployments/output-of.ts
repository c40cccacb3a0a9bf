import type { LogChunk } from '../../proto/gen/fraisier/v1/agent.js';
import type { FoldedReports, FoldedRun } from './fold-reports.js';
import type { NewLogChunk } from './ledger/report.js';
import type { Report } from './record-progress.js';

/** What is stored, and read again, as one. */
const MOST_BYTES = 64 * 1024;

interface Joined {
  readonly first: LogChunk;
  readonly parts: Uint8Array[];
  end: number;
  truncated: boolean;
}

/**
 * The output that is in reports, in the order in which it came, as lists to be stored one after the other: in none of
 * them is any step's output twice, and none of a run is in an earlier one than what came before it. Small pieces that
 * follow each other are one.
 */
export function outputOf(
  runs: FoldedReports['runs'],
  reports: readonly Report[],
): readonly (readonly NewLogChunk[])[] {
  const lists: Map<string, Joined>[] = [];
  const listOf = new Map<string, number>();
  for (const { $case, value } of reports.flatMap(({ messages }) => messages))
    if ($case === 'log') listOf.set(value.runId, put(lists, listOf.get(value.runId) ?? 0, value));
  return lists.map((list) =>
    [...list.values()].map(({ first, parts, truncated }) => ({
      ...first,
      deploymentId: (runs.get(first.runId) as FoldedRun).before.deploymentId,
      data: parts.length === 1 ? first.data : Buffer.concat(parts),
      truncated,
    })),
  );
}

/** Of which run, step and attempt. */
export function keyOf({ runId, step, attempt }: Pick<LogChunk, 'runId' | 'step' | 'attempt'>): string {
  return `${runId} ${step} ${attempt}`;
}

/** Returns in which list it is. */
function put(lists: Map<string, Joined>[], at: number, chunk: LogChunk): number {
  const { offset, data, truncated } = chunk;
  const end = offset + data.length;
  const last = lists[at]?.get(keyOf(chunk));
  if (last?.end === offset && !last.truncated && end - last.first.offset <= MOST_BYTES) {
    last.parts.push(data);
    Object.assign(last, { end, truncated });
    return at;
  }
  const place = last === undefined ? at : at + 1;
  const list = (lists[place] ??= new Map<string, Joined>());
  list.set(keyOf(chunk), { first: chunk, parts: [data], end, truncated });
  return place;
}
