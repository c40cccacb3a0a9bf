import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { configuredFor } from './configuration.js';
import { considerLine, considerStart, type StartDecision } from './consider-start.js';
import { decide, type Decision, type RunStart, type Situation } from './decide.js';
import type { Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { deploymentHasEnded, type DeploymentStatus } from './lifecycle.js';
import { latestRuns, planOf } from './runs-of-deployment.js';
import { isGathering, situationOf } from './situation.js';
import { stepsOfRun } from './steps-of-run.js';
import { tell } from './tell.js';

/** More rounds than any decision chain has; reaching it is a bug in `decide`, not a state of the world. */
const MAX_ROUNDS = 50;

/**
 * Moves a deployment as far as it goes now: decides and carries out, in one transaction that holds its row, until there is
 * nothing to do but wait. Safe to call at any time, by any controller, any number of times; dying in the middle
 * leaves nothing. Returns when it should be called again even if nothing happens, or null.
 */
export async function advance(edges: Edges, id: string): Promise<Date | null> {
  const peeked = await edges.ledger.deployment(id);
  if (peeked === null || deploymentHasEnded(peeked.status)) return null;
  if (peeked.status === 'queued') {
    // Most of what is queued goes on waiting: that is found out, and said, without keeping pushes from joining the queue.
    const decision = await consider(edges, edges.ledger, peeked);
    if ('wait' in decision) {
      if (!isSaid(peeked, decision.wait))
        await edges.ledger.transaction((tx) => explain(tx, peeked, decision.wait));
      return decision.until;
    }
  }
  return edges.ledger.transaction(async (tx) => {
    if (peeked.status === 'queued') await tx.holdFraise(peeked.fraise, peeked.environment);
    const held = await tx.holdDeployment(id);
    if (held === null || deploymentHasEnded(held.status)) return null;
    if (held.status === 'queued') {
      const { started, until } = await start(edges, tx, held);
      if (!started) return until;
    }
    return carryOn(edges, tx, id);
  });
}

/** Whether it left the queue for `running`, or when it should be asked again even if nothing happens. */
async function start(
  edges: Edges,
  tx: Ledger,
  deployment: DeploymentRow,
): Promise<{ readonly started: boolean; readonly until: Date | null }> {
  const decision = await consider(edges, tx, deployment);
  if ('start' in decision) {
    const change = { plan: decision.start, started: true, reason: null, newVersion: deployment.commit };
    const moved = await tx.moveDeployment(deployment.id, 'queued', 'running', change);
    await tell(tx, 'deployment_started', deployment, 'running');
    await tx.wake({ about: 'deployment', id: deployment.id });
    return { started: moved, until: null };
  }
  if ('end' in decision) {
    await end(tx, deployment, decision.end, decision.reason, null);
    return { started: false, until: null };
  }
  if (!isSaid(deployment, decision.wait)) await explain(tx, deployment, decision.wait);
  return { started: false, until: decision.until };
}

function isSaid({ reason }: DeploymentRow, why: Reason): boolean {
  return reason?.code === why.code && reason.message === why.message;
}

async function consider(edges: Edges, ledger: Ledger, deployment: DeploymentRow): Promise<StartDecision> {
  const now = await ledger.now();
  const line = {
    unfinished: await ledger.unfinishedDeployments(pairOf(deployment)),
    lock: await ledger.lockOn(deployment.fraise, deployment.environment),
  };
  return (
    considerLine(deployment, line) ??
    considerStart(deployment, {
      ...line,
      configured: await configuredFor(ledger, deployment, edges.parsed),
      agents: await ledger.agents(),
      now,
      isGathering: isGathering(edges, now),
    })
  );
}

/** Law 7: what waits says why. Only a new reason is written, and only to what still waits; it is news for watchers alone. */
async function explain(tx: Ledger, { id, status }: DeploymentRow, why: Reason): Promise<void> {
  if (await tx.moveDeployment(id, status, status, { reason: why }))
    await tx.wake({ about: 'events', deploymentId: id });
}

/** As `advance` does with one that has started, in a transaction that holds its row. */
export async function carryOn(edges: Edges, tx: Ledger, id: string): Promise<Date | null> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const deployment = await tx.deployment(id);
    if (deployment === null || deploymentHasEnded(deployment.status)) return null;
    const situation = await situationOf(edges, tx, deployment);
    const decision = decide(situation);
    const didSomething = await carryOut(edges, tx, situation, decision);
    if (!didSomething) return decision.wait?.until ?? null;
  }
  throw new Error(`deployment ${id} does not come to rest after ${MAX_ROUNDS} decisions`);
}

async function carryOut(
  edges: Edges,
  tx: Ledger,
  situation: Situation,
  decision: Decision,
): Promise<boolean> {
  const { deployment, runs } = situation;
  const moved = await moveRuns(tx, decision);
  const started = await startRuns(edges, tx, situation, decision.start ?? []);
  const { move } = decision;
  if (move === undefined) return moved || started;
  if (deploymentHasEnded(move.to)) {
    await end(tx, deployment, move.to, move.reason, oldVersionOf(runs));
    return true;
  }
  await tx.moveDeployment(deployment.id, deployment.status, move.to, {
    reason: move.reason,
    continueRequestedBy: null,
    answers: deployment.answers.filter(({ act }) => act === 'skip'),
    // What was asked before a pause is no answer to what the pause asks.
    ...(move.to === 'paused' ? { cancelRequestedBy: null } : {}),
  });
  await tx.wake({ about: 'deployment', id: deployment.id });
  return true;
}

async function moveRuns(tx: Ledger, { drop = [], lose = [], cancel = [] }: Decision): Promise<boolean> {
  const ends = [...drop, ...lose.map((one) => ({ ...one, to: 'lost' as const }))];
  for (const { run, to, reason } of ends)
    await tx.moveRun(run.id, run.status, to, { reason, finished: true });
  for (const { run, reason } of cancel) {
    await tx.moveRun(run.id, run.status, run.status, { cancelReason: reason });
    await tx.wake({ about: 'host', name: run.host });
  }
  return ends.length + cancel.length > 0;
}

async function startRuns(
  edges: Edges,
  tx: Ledger,
  situation: Situation,
  starts: readonly RunStart[],
): Promise<boolean> {
  const plan = planOf(situation.deployment);
  const latest = latestRuns(situation.runs);
  for (const { host, phase, attempt } of starts) {
    const work = stepsOfRun(plan, host, phase, latest);
    await tx.insertRun({
      id: edges.newId('r'),
      deploymentId: situation.deployment.id,
      host,
      phase,
      attempt,
      ...work,
    });
    await tx.wake({ about: 'host', name: host });
  }
  return starts.length > 0;
}

/** Ends it and lets the next one in the queue look again; notifications leave through the outbox, in the same commit. */
async function end(
  tx: Ledger,
  deployment: DeploymentRow,
  to: DeploymentStatus,
  reason: Reason | null,
  oldVersion: string | null,
): Promise<void> {
  await tx.moveDeployment(deployment.id, deployment.status, to, { reason, oldVersion, finished: true });
  await tell(tx, 'deployment_ended', deployment, to);
  await tx.audit({
    actor: 'controller',
    action: 'deployment_ended',
    subject: deployment.id,
    facts: { status: to },
  });
  await tx.wake({ about: 'deployment', id: deployment.id });
  const waiting = await tx.unfinishedDeployments(pairOf(deployment));
  for (const next of waiting)
    if (next.id !== deployment.id) await tx.wake({ about: 'deployment', id: next.id });
}

function oldVersionOf(runs: readonly RunRow[]): string | null {
  return runs.map((run) => run.previousRelease).find((release) => release !== null && release !== '') ?? null;
}

function pairOf({ fraise, environment }: DeploymentRow): { fraise: string; environment: string } {
  return { fraise, environment };
}
