import { FraisierError } from '../../proto/error-codes.js';
import type { Actor, Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { placeLock } from './lock-fraise.js';
import { madeBefore } from './request-deployment.js';
import { resolveRollback, underWay, type RollbackRequest, type WayBack } from './resolve-rollback.js';
import { cancelDeployment } from './steer-deployment.js';
import { tell } from './tell.js';

/**
 * Rolls back: a running or paused deployment is undone, which is its own undo; otherwise a deployment of kind `rollback` is queued
 * ahead of all others. Either way the fraise is locked, unless it is. Stored when it returns; refused with nothing
 * written: `no_rollback_target`, `database_cannot_go_back`, `agent_away`, `unknown_…`, and `deployment_running` when
 * something began meanwhile.
 */
export async function requestRollback(
  edges: Edges,
  request: RollbackRequest,
  actor: Actor,
): Promise<DeploymentRow> {
  const made = await madeBefore(edges.ledger, request.requestId, actor);
  if (made !== null) return made;
  const resolved = await resolveRollback(edges, request);
  return edges.ledger.transaction(async (tx) => {
    await tx.holdFraise(request.fraise, request.environment);
    if (resolved.undoes !== null) return undo(edges, tx, resolved.undoes, actor);
    return (await madeBefore(tx, request.requestId, actor)) ?? queue(edges, tx, request, resolved, actor);
  });
}

/** One that goes back already needs no second word. */
async function undo(edges: Edges, tx: Ledger, active: DeploymentRow, actor: Actor): Promise<DeploymentRow> {
  await lockUnlessLocked(edges, tx, active, `${active.id} was rolled back`, actor);
  if (active.status === 'rolling_back' || active.kind === 'rollback') return active;
  return cancelDeployment({ ...edges, ledger: tx }, active.id, actor);
}

async function queue(
  edges: Edges,
  tx: Ledger,
  request: RollbackRequest,
  resolved: WayBack,
  actor: Actor,
): Promise<DeploymentRow> {
  const { fraise, environment, requestId, trigger } = request;
  const { target, rollback, revision, hosts } = resolved;
  const [newest] = await tx.endedDeployments(fraise, environment, 1);
  const active = await underWay(tx, request);
  const between = active ?? (newest?.id === resolved.newest ? null : newest);
  if (between) throw overtaken(request, between);
  const deployment = await tx.insertDeployment({
    id: edges.newId('d'),
    fraise,
    environment,
    kind: 'rollback',
    commit: target.commit,
    ref: target.deployment?.ref ?? '',
    configRevision: revision,
    trigger,
    requestedBy: actor.name,
    webhookId: null,
    requestId,
    originId: target.deployment?.id ?? null,
    force: false,
    onlyHosts: rollback.skipped.length === 0 ? [] : hosts.map(({ host }) => host),
    pushedAt: null,
    rollback,
  });
  const way = `${rollback.from.slice(0, 12)} to ${target.commit.slice(0, 12)}`;
  await lockUnlessLocked(edges, tx, deployment, `rolled back from ${way} (${deployment.id})`, actor);
  const skipped = rollback.skipped.join(' ');
  const facts = { fraise, environment, commit: target.commit, from: rollback.from, skipped };
  await tx.audit({ actor: actor.name, action: 'rollback_requested', subject: deployment.id, facts });
  await tell(tx, 'deployment_queued', deployment, 'queued');
  await tx.wake({ about: 'deployment', id: deployment.id });
  return deployment;
}

async function lockUnlessLocked(
  edges: Edges,
  tx: Ledger,
  { fraise, environment }: DeploymentRow,
  reason: string,
  actor: Actor,
): Promise<void> {
  if ((await tx.lockOn(fraise, environment)) !== null) return;
  await placeLock(edges, tx, { fraise, environment, reason, forMs: null }, actor);
}

function overtaken({ fraise, environment }: RollbackRequest, by: DeploymentRow): FraisierError {
  const message = `${by.id} came in between: what to go back to has to be looked at again`;
  return new FraisierError('deployment_running', message, {
    hint: `fraisier rollback ${fraise} ${environment}`,
  });
}
