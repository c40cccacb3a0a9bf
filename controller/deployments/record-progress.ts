import { FraisierError } from '../../proto/error-codes.js';
import type { Ack, LiveFraise, LogAck, LogChunk, RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { Edges } from './edges.js';
import { foldEvent } from './fold-event.js';
import type { AgentRow, DeploymentRow, Ledger, RunRow } from './ledger.js';
import { runHasEnded } from './lifecycle.js';
import { planOf } from './runs-of-deployment.js';

/** The stream on whose behalf something is recorded; it counts only while its epoch is the newest. */
export interface Lease {
  readonly agent: string;
  readonly epoch: number;
}

export type ProgressMessage =
  | { readonly $case: 'event'; readonly value: RunEvent }
  | { readonly $case: 'log'; readonly value: LogChunk };

export interface Acknowledgements {
  readonly acks: readonly Ack[];
  readonly logAcks: readonly LogAck[];
}

/**
 * Records what an agent reports, in one transaction, and says what may be acknowledged once it has committed.
 * What an agent says is untrusted: a run of its own, the next number, a legal move, or `protocol_violation` and nothing
 * is recorded. `agent_replaced` when a newer stream of the same agent holds the lease.
 * Reports after a run's end are kept (late reports) and change nothing else.
 */
export async function recordProgress(
  { ledger }: Edges,
  lease: Lease,
  messages: readonly ProgressMessage[],
): Promise<Acknowledgements> {
  return ledger.transaction(async (tx) => {
    const { runs, now } = await holdRuns(tx, lease, messages);
    const before = [...runs.values()];
    const acks = new Map<string, Ack>();
    const logAcks = new Map<string, LogAck>();
    for (const message of messages) {
      const run = runs.get(message.value.runId) as RunRow;
      if (message.$case === 'event') acks.set(run.id, await recordEvent(tx, runs, run, message.value, now));
      else logAcks.set(logKey(message.value), await recordLog(tx, run, message.value));
    }
    await wake(tx, before, runs, acks.size > 0);
    return { acks: [...acks.values()], logAcks: [...logAcks.values()] };
  });
}

/** Only events change a run; output is stored beside it. */
async function holdRuns(
  tx: Ledger,
  { agent, epoch }: Lease,
  messages: readonly ProgressMessage[],
): Promise<{ readonly runs: Map<string, RunRow>; readonly now: Date }> {
  const events = messages.filter(({ $case }) => $case === 'event');
  const [runIds, changing] = [messages, events].map((some) => [
    ...new Set(some.map(({ value }) => value.runId)),
  ]) as [string[], string[]];
  const { runs, leased, now } = await tx.holdReported({ agent, epoch, runIds, changing });
  const held = new Map(runs.map((run) => [run.id, run]));
  const foreign = runIds.find((id) => !held.has(id));
  if (foreign !== undefined) throw violation(agent, `reports on run ${foreign}, which is not its own`);
  if (!leased) throw replaced(agent);
  return { runs: held, now };
}

async function recordEvent(
  tx: Ledger,
  runs: Map<string, RunRow>,
  run: RunRow,
  event: RunEvent,
  now: Date,
): Promise<Ack> {
  const stored = await tx.appendEvent(run, event);
  switch (stored) {
    case 'known':
      return { runId: run.id, seq: Math.max(run.lastSeq, event.seq) };
    case 'conflict':
      throw violation(run.host, `reports event ${event.seq} of ${run.id} a second time with other content`);
    case 'gap':
      throw violation(
        run.host,
        `reports event ${event.seq} of ${run.id}, but ${run.lastSeq} is the last one known`,
      );
    case 'added':
      runs.set(run.id, await foldInto(tx, run, event, now));
      return { runId: run.id, seq: event.seq };
  }
}

async function foldInto(tx: Ledger, run: RunRow, event: RunEvent, now: Date): Promise<RunRow> {
  if (runHasEnded(run.status)) {
    await tx.moveRun(run.id, run.status, run.status, { lastSeq: event.seq });
    return { ...run, lastSeq: event.seq };
  }
  const folded = foldEvent(run, event, now);
  if ('illegal' in folded) throw violation(run.host, folded.illegal);
  const moved = await tx.moveRun(run.id, run.status, folded.to, folded.change);
  if (!moved) throw new Error(`run ${run.id} moved while it was held`);
  if (folded.live !== null) await setLive(tx, { ...run, ...folded.row }, folded.live);
  return { ...run, ...folded.row };
}

/** What the run left live on its host; the rest of the host's list stays. */
async function setLive(
  tx: Ledger,
  run: RunRow,
  { release, origin }: { readonly release: string; readonly origin: string },
): Promise<void> {
  const agent = (await tx.agent(run.host)) as AgentRow;
  const deployment = (await tx.deployment(run.deploymentId)) as DeploymentRow;
  const isThis = (live: LiveFraise) =>
    live.fraise === deployment.fraise && live.environment === deployment.environment;
  const known = agent.live.find(isThis);
  const now: LiveFraise = {
    origin: origin || (known?.origin ?? ''),
    provenGood: (known?.release === release && known.provenGood) || provesGood(run),
    fraise: deployment.fraise,
    environment: deployment.environment,
    appPath: (planOf(deployment).target as Target).appPath,
    release,
  };
  await tx.setLive(run.host, [
    ...agent.live.filter((live) => !isThis(live)),
    ...(release === '' ? [] : [now]),
  ]);
}

/** What was good before says nothing of what is live now; a health check that was passed does. */
function provesGood({ phase, status, steps }: RunRow): boolean {
  if (status !== 'succeeded' || (phase !== 'release' && phase !== 'undo')) return false;
  return steps.some(({ action }) => action?.$case === 'health' || action?.$case === 'prove');
}

async function recordLog(tx: Ledger, run: RunRow, chunk: LogChunk): Promise<LogAck> {
  const { step, attempt, offset, data, truncated } = chunk;
  if (!run.steps.some((one) => one.name === step))
    throw violation(run.host, `sends output of ${step}, which ${run.id} has not`);
  const end = await tx.appendLog({
    runId: run.id,
    deploymentId: run.deploymentId,
    step,
    attempt,
    offset,
    data,
    truncated,
  });
  if (end < offset)
    throw violation(run.host, `sends output of ${step} from ${offset}, but only ${end} bytes are known`);
  return { runId: run.id, step, attempt, offset: end };
}

/** Only the end of a run gives something to decide; deciding holds the deployment's row, which reports wait for. */
async function wake(
  tx: Ledger,
  before: readonly RunRow[],
  now: ReadonlyMap<string, RunRow>,
  events: boolean,
): Promise<void> {
  const ended = before.filter(({ id, status }) => !runHasEnded(status) && hasEnded(now.get(id)));
  const decide = new Set(ended.map((run) => run.deploymentId));
  for (const id of new Set(before.map((run) => run.deploymentId))) {
    if (decide.has(id)) await tx.wake({ about: 'deployment', id });
    else await tx.wake({ about: events ? 'events' : 'logs', deploymentId: id });
  }
}

function hasEnded(run: RunRow | undefined): boolean {
  return run !== undefined && runHasEnded(run.status);
}

function logKey({ runId, step, attempt }: LogChunk): string {
  return `${runId} ${step} ${attempt}`;
}

function violation(agent: string, what: string): FraisierError {
  return new FraisierError('protocol_violation', `the agent on ${agent} ${what}`, { facts: { host: agent } });
}

function replaced(agent: string): FraisierError {
  return new FraisierError('agent_replaced', `a newer connection of the agent on ${agent} has taken over`, {
    facts: { host: agent },
  });
}
