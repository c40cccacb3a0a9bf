import { FraisierError, type ErrorCode } from '../../proto/error-codes.js';
import type { Reason, Rollback } from '../../proto/gen/fraisier/v1/plan.js';
import { findEnvironment } from '../fraises/find-environment.js';
import type { Environment } from '../fraises/fraises.js';
import { askAgent } from './ask-agent.js';
import type { PastDeployment } from './applied-since.js';
import { chooseRollbackTarget, type SeenHost, type Target } from './choose-rollback-target.js';
import { currentConfiguration } from './configuration.js';
import { awayHosts, isNames, selectHosts } from './consider-start.js';
import type { Actor, Edges } from './edges.js';
import type { DeploymentRow, Ledger } from './ledger.js';
import type { Trigger } from './lifecycle.js';
import { placeLock } from './lock-fraise.js';
import { targetOf } from './plan.js';
import { planRollback } from './plan-rollback.js';
import { madeBefore } from './request-deployment.js';
import { cancelDeployment } from './steer-deployment.js';
import { tell } from './tell.js';

export interface RollbackRequest {
  readonly fraise: string;
  readonly environment: string;
  /** A commit, its beginning, or a deployment's id; empty: the last good release before what is live. */
  readonly to: string;
  readonly codeOnly: boolean;
  readonly trigger: Trigger;
  readonly requestId: string | null;
}

/** A rollback worked out, with nothing written. */
export type ResolvedRollback =
  | { readonly undoes: DeploymentRow }
  | {
      readonly undoes: null;
      readonly revision: number;
      readonly environment: Environment;
      readonly hosts: readonly SeenHost[];
      readonly target: Target;
      readonly rollback: Rollback;
      /** The newest ended deployment when it was worked out. */
      readonly newest: string | null;
    };

/** How long a host may take to tell what it keeps. */
const INSPECT_MS = 20_000;
/** How far back the record is read: more good releases are kept on no host. */
const PAST = 200;

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

/** What a rollback would be, read-only. Throws as `requestRollback`. */
export async function resolveRollback(edges: Edges, request: RollbackRequest): Promise<ResolvedRollback> {
  const { ledger } = edges;
  const { revision, configuration } = await currentConfiguration(ledger);
  const environment = findEnvironment(configuration, request.fraise, request.environment);
  const active = await underWay(ledger, request);
  if (active !== null) return { undoes: mayUndo(active, request) };
  const agents = await ledger.agents();
  const names = selectHosts({ configuration, environment, agents }, []);
  if (!isNames(names)) throw refused(names);
  const away = awayHosts(names, agents, await ledger.now());
  if (away !== null) throw refused(away);
  const hosts = await Promise.all(names.map((host) => look(edges, host, environment)));
  const ended = await ledger.endedDeployments(request.fraise, request.environment, PAST);
  const target = chooseRollbackTarget({ ...request, ended, hosts });
  const since = await sinceTarget(ledger, ended, target);
  const rollback = planRollback({ environment, target, codeOnly: request.codeOnly, hosts, since });
  return { undoes: null, revision, environment, hosts, target, rollback, newest: ended[0]?.id ?? null };
}

async function underWay(
  ledger: Ledger,
  { fraise, environment }: Pick<RollbackRequest, 'fraise' | 'environment'>,
): Promise<DeploymentRow | null> {
  const unfinished = await ledger.unfinishedDeployments({ fraise, environment });
  const first = unfinished.find(({ status }) => status !== 'queued');
  return first ?? unfinished.find(({ kind }) => kind === 'rollback') ?? null;
}

/** A rollback that is under way is what was asked for; anything else with a target of its own must end first. */
function mayUndo(active: DeploymentRow, { to }: RollbackRequest): DeploymentRow {
  if (to === '' || (active.kind === 'rollback' && active.commit.startsWith(to))) return active;
  throw new FraisierError('deployment_running', `${active.id} is ${active.status}: it comes first`, {
    hint: `fraisier rollback ${active.fraise} ${active.environment} (without --to: undoes ${active.id})`,
    facts: { deployment: active.id, status: active.status },
  });
}

async function look(edges: Edges, host: string, environment: Environment): Promise<SeenHost> {
  const value = { target: targetOf(environment), health: undefined };
  const answer = await askAgent(edges, host, { $case: 'inspect', value }, INSPECT_MS);
  if (answer.$case === 'inspection') return { host, inspection: answer.value };
  throw new FraisierError('no_answer', `the agent on ${host} answered something else than how it is`);
}

/** Oldest first, the target's own deployment first of all; none without one. */
async function sinceTarget(
  ledger: Ledger,
  ended: readonly DeploymentRow[],
  { deployment: target }: Target,
): Promise<readonly PastDeployment[]> {
  const at = ended.findIndex((one) => one.id === target?.id);
  const since = ended.slice(0, at + 1).toReversed();
  return Promise.all(
    since.map(async (deployment) => ({ deployment, runs: await ledger.runsOf(deployment.id) })),
  );
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
  resolved: ResolvedRollback & { readonly undoes: null },
  actor: Actor,
): Promise<DeploymentRow> {
  const { fraise, environment, requestId, trigger } = request;
  const { target, rollback, revision } = resolved;
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
    onlyHosts: [],
    pushedAt: null,
    rollback,
  });
  const way = `${rollback.from.slice(0, 12)} to ${target.commit.slice(0, 12)}`;
  await lockUnlessLocked(edges, tx, deployment, `rolled back from ${way} (${deployment.id})`, actor);
  const facts = { fraise, environment, commit: target.commit, from: rollback.from };
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

function refused(why: Reason): FraisierError {
  return new FraisierError(why.code as ErrorCode, why.message, why);
}
