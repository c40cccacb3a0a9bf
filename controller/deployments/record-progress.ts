import { FraisierError } from '../../proto/error-codes.js';
import type { Ack, LiveFraise, LogAck, LogChunk, RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Edges } from './edges.js';
import { foldReports, violation, type FoldedReports, type FoldedRun } from './fold-reports.js';
import type { Ledger } from './ledger.js';
import type { AgentRow } from './ledger/agent.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { ReportedRuns } from './ledger/report.js';
import { runHasEnded } from './lifecycle.js';
import { liveAfterRun } from './live-after-run.js';
import { keyOf, outputOf } from './output-of.js';

/** The stream on whose behalf something is recorded; it counts only while its epoch is the newest. */
export interface Lease {
  readonly agent: string;
  readonly epoch: number;
}

export type ProgressMessage =
  | { readonly $case: 'event'; readonly value: RunEvent }
  | { readonly $case: 'log'; readonly value: LogChunk };

/** What one agent says, in its order. */
export interface Report extends Lease {
  readonly messages: readonly ProgressMessage[];
}

export interface Acknowledgements {
  readonly acks: readonly Ack[];
  readonly logAcks: readonly LogAck[];
}

/**
 * Records what agents report, in one transaction and a few statements however many they are, and says what may be
 * acknowledged to each once it has committed; one report an agent. What an agent says is untrusted: a run of its own, the
 * next number, a legal move, or `protocol_violation` and nothing is recorded. `agent_replaced` when a newer stream of
 * the same agent holds the lease. Reports after a run's end are kept (late reports) and change nothing else.
 */
export async function recordProgress(
  { ledger }: Pick<Edges, 'ledger'>,
  reports: readonly Report[],
): Promise<readonly Acknowledgements[]> {
  return ledger.transaction(async (tx) => {
    const held = await holdRuns(tx, reports);
    const folded = foldReports(held, reports);
    const ends = await storeOutput(tx, folded, reports);
    await storeEvents(tx, folded);
    await storeLive(tx, folded, held.leased);
    await wake(tx, folded);
    return reports.map((report) => acknowledge(report, folded, ends));
  });
}

/** Only events change a run; output is stored beside it. */
async function holdRuns(tx: Ledger, reports: readonly Report[]): Promise<ReportedRuns> {
  const held = await tx.holdReported(
    reports.map(({ agent, epoch, messages }) => {
      const events = messages.filter(({ $case }) => $case === 'event');
      const [runIds, changing] = [runsOf(messages), runsOf(events)];
      return { agent, epoch, runIds, changing };
    }),
  );
  const own = new Set(held.runs.map(({ id, host }) => `${host} ${id}`));
  for (const { agent, epoch, messages } of reports) {
    const foreign = runsOf(messages).find((id) => !own.has(`${agent} ${id}`));
    if (foreign !== undefined) throw violation(agent, `reports on run ${foreign}, which is not its own`);
    if (held.leased.get(agent)?.epoch !== epoch) throw replaced(agent);
  }
  return held;
}

function runsOf(messages: readonly ProgressMessage[]): readonly string[] {
  return [...new Set(messages.map(({ value }) => value.runId))];
}

/** Where the output of each step ends now, by its key. */
async function storeOutput(
  tx: Ledger,
  { runs }: FoldedReports,
  reports: readonly Report[],
): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  for (const chunks of outputOf(runs, reports)) {
    const stored = await tx.appendLogs(chunks);
    for (const [at, chunk] of chunks.entries()) {
      const { runId, step, offset } = chunk;
      const end = stored[at] as number;
      const { host } = (runs.get(runId) as FoldedRun).before;
      if (end < offset)
        throw violation(host, `sends output of ${step} from ${offset}, but only ${end} bytes are known`);
      ends.set(keyOf(chunk), end);
    }
  }
  return ends;
}

async function storeEvents(tx: Ledger, { events, repeated, runs }: FoldedReports): Promise<void> {
  const changed = [...runs.values()].filter(({ before, after }) => before !== after);
  for (const deploymentId of new Set(changed.map(({ before }) => before.deploymentId))) {
    const own = changed.filter(({ before }) => before.deploymentId === deploymentId);
    const ids = new Set(own.map(({ before }) => before.id));
    await tx.writeReported({
      deploymentId,
      events: events.filter(({ runId }) => ids.has(runId)),
      runs: own.map(({ before, after }) => ({ ...after, from: before.status })),
    });
  }
  for (const event of repeated) {
    const { id, host } = (runs.get(event.runId) as FoldedRun).before;
    if (!(await tx.knowsEvent(event)))
      throw violation(host, `reports event ${event.seq} of ${id} a second time with other content`);
  }
}

type Leased = Pick<AgentRow, 'epoch' | 'live'>;

/** What the runs left live on their hosts; the rest of each host's list stays. */
async function storeLive(
  tx: Ledger,
  { ended }: FoldedReports,
  before: ReadonlyMap<string, Leased>,
): Promise<void> {
  const deployments = new Map<string, DeploymentRow>();
  const changed = new Map<string, readonly LiveFraise[]>();
  for (const { run, release, origin } of ended) {
    const { host, deploymentId } = run;
    const deployment =
      deployments.get(deploymentId) ?? ((await tx.deployment(deploymentId)) as DeploymentRow);
    deployments.set(deploymentId, deployment);
    const known = changed.get(host) ?? (before.get(host) as Leased).live;
    const now = liveAfterRun(run, deployment, known, { release, origin });
    if (now !== known) changed.set(host, now);
  }
  if (changed.size > 0) await tx.setLive(changed);
}

/** Only the end of a run gives something to decide; deciding holds the deployment's row, which reports wait for. */
async function wake(tx: Ledger, { runs }: FoldedReports): Promise<void> {
  const all = [...runs.values()];
  for (const id of new Set(all.map(({ before }) => before.deploymentId))) {
    const own = all.filter(({ before }) => before.deploymentId === id);
    if (own.some(({ before, after }) => !runHasEnded(before.status) && runHasEnded(after.status)))
      await tx.wake({ about: 'deployment', id });
    else await tx.wake({ about: own.some(({ events }) => events > 0) ? 'events' : 'logs', deploymentId: id });
  }
}

function acknowledge(
  { messages }: Report,
  { runs }: FoldedReports,
  ends: ReadonlyMap<string, number>,
): Acknowledgements {
  const acks = new Map<string, Ack>();
  const logAcks = new Map<string, LogAck>();
  for (const { $case, value } of messages) {
    const { runId } = value;
    if ($case === 'event') {
      acks.set(runId, { runId, seq: (runs.get(runId) as FoldedRun).after.lastSeq });
    } else {
      const { step, attempt } = value;
      logAcks.set(keyOf(value), { runId, step, attempt, offset: ends.get(keyOf(value)) as number });
    }
  }
  return { acks: [...acks.values()], logAcks: [...logAcks.values()] };
}

function replaced(agent: string): FraisierError {
  return new FraisierError('agent_replaced', `a newer connection of the agent on ${agent} has taken over`, {
    facts: { host: agent },
  });
}
