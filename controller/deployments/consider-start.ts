import type { DeploymentPlan, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Configured, NotUnderstood } from './configuration.js';
import type { AgentRow } from './ledger/agent.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { LockRow } from './ledger/lock.js';
import { isCatchUp } from './left-behind.js';
import { lockedBy } from './locked.js';
import { makePlan } from './plan.js';
import { inOrder } from './queue.js';
import { cancelledBy, reason } from './reason.js';
import { awayHosts, isNames, leaveOut, selectHosts } from './select-hosts.js';
import { zonesOf } from './zones.js';

export type StartDecision =
  | { readonly start: DeploymentPlan }
  | { readonly end: 'failed' | 'cancelled'; readonly reason: Reason }
  | { readonly wait: Reason; readonly until: Date | null };

/** What may be in the way of whoever is in a queue. */
export interface Line {
  /** Every unfinished deployment of this fraise × environment, oldest first, this one among them. */
  readonly unfinished: readonly DeploymentRow[];
  /** In force on this fraise × environment. */
  readonly lock: LockRow | null;
}

export interface Queue extends Line {
  readonly agents: readonly AgentRow[];
  readonly configured: Configured | NotUnderstood;
  readonly now: Date;
  /** As of a situation: who seems to be away is not left out yet. */
  readonly isGathering?: boolean;
}

/** Whether a queued deployment starts now, with the plan it is then frozen to, or why it waits. Pure. */
export function considerStart(deployment: DeploymentRow, queue: Queue): StartDecision {
  return considerLine(deployment, queue) ?? startNow(deployment, queue);
}

/** As `considerStart`, for what does not start whatever else there is to know: most of what is queued. Null: it may. Pure. */
export function considerLine(deployment: DeploymentRow, queue: Line): StartDecision | null {
  if (deployment.cancelRequestedBy !== null)
    return { end: 'cancelled', reason: cancelledBy(deployment.cancelRequestedBy) };
  // Whoever rolls back needs it now; what is locked stays so for everything else.
  if (queue.lock !== null && deployment.kind !== 'rollback')
    return { wait: lockedBy(queue.lock), until: queue.lock.expiresAt };
  const before = ahead(deployment, queue.unfinished);
  return before === null ? null : { wait: waitingFor(before), until: null };
}

function startNow(
  deployment: DeploymentRow,
  { configured, agents, now: madeAt, isGathering = false }: Queue,
): StartDecision {
  if ('notUnderstood' in configured) return { end: 'failed', reason: configured.notUnderstood };
  const { commit, ref, rollback, kind, force, onlyHosts } = deployment;
  const { environment, configuration } = configured;
  const catchesUp = isCatchUp(deployment);
  const among = { ...configured, agents };
  // A rollback that leaves out the host that migrates does not touch the database: that was refused before.
  const wanted = selectHosts(among, onlyHosts, { migrates: kind !== 'rollback' && !catchesUp });
  if (!isNames(wanted)) return { end: 'failed', reason: wanted };
  const hosts =
    deployment.skipUnreachable && !isGathering ? leaveOut(environment, wanted, agents, madeAt) : wanted;
  const away = awayHosts(hosts, agents, madeAt);
  // It is asked for again when the host returns once more; meanwhile it is in nobody's way.
  if (away !== null) return catchesUp ? { end: 'cancelled', reason: away } : { wait: away, until: null };
  return {
    start: makePlan({
      ...{ environment, commit, ref, hosts, madeAt, rollback, force, catchesUp },
      settle: kind === 'deploy' && !force,
      fleet: selectHosts(among, [], { migrates: false }) as readonly string[],
      leftOut: wanted.filter((host) => !hosts.includes(host)),
      zones: zonesOf(configuration, agents),
    }),
  };
}

function ahead(deployment: DeploymentRow, unfinished: readonly DeploymentRow[]): DeploymentRow | null {
  const [first] = inOrder(unfinished);
  return first === undefined || first.id === deployment.id ? null : first;
}

function waitingFor(other: DeploymentRow): Reason {
  return reason('deployment_running', `waits for ${other.id}, which is ${other.status}`, {
    hint: `fraisier watch ${other.id}`,
    facts: { deployment: other.id, status: other.status },
  });
}
