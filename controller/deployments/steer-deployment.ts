import { FraisierError } from '../../proto/error-codes.js';
import { carryOn } from './advance.js';
import { isGoingBack } from './decide-rollback.js';
import type { Actor, Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { Answer, DeploymentRow } from './ledger/deployment.js';
import { deploymentHasEnded, type DeploymentStatus } from './lifecycle.js';

/**
 * Asks a deployment to stop: a queued one never starts; a running or paused one ends `cancelled`, or is undone when a host
 * was touched. Returns at once with the request recorded, and a paused one on its way; asking twice is as good as once.
 * Throws `not_steerable` when it has ended or is already going back.
 */
export function cancelDeployment(edges: Edges, id: string, actor: Actor): Promise<DeploymentRow> {
  return steer(edges, id, actor, 'cancel', ['queued', 'running', 'paused'], async (tx, held) => {
    if (isGoingBack(held, await tx.runsOf(id)))
      throw notSteerable(held, 'cancel', 'it is going back already');
    return tx.moveDeployment(id, held.status, held.status, { cancelRequestedBy: actor.name });
  });
}

/**
 * Lets a paused deployment go on: what ended badly is done again, with the whole limit ahead.
 * Throws `not_steerable` when it is not paused.
 */
export function continueDeployment(edges: Edges, id: string, actor: Actor): Promise<DeploymentRow> {
  return steer(edges, id, actor, 'continue', ['paused'], (tx, { status }) =>
    tx.moveDeployment(id, status, status, { continueRequestedBy: actor.name, continued: true }),
  );
}

/** What may be asked of a deployment that is under way. */
export type Act = 'cancel' | 'continue' | Answer['act'];

/** Asks it of a deployment in one of these states, and carries on here and now with one that is paused. */
export async function steer(
  edges: Edges,
  id: string,
  actor: Actor,
  act: Act,
  from: readonly DeploymentStatus[],
  change: (tx: Ledger, held: DeploymentRow) => Promise<boolean>,
  facts: Readonly<Record<string, string>> = {},
): Promise<DeploymentRow> {
  return edges.ledger.transaction(async (tx) => {
    const held = await tx.holdDeployment(id);
    if (held === null)
      throw new FraisierError('unknown_deployment', `there is no deployment ${id}`, {
        hint: 'fraisier history',
      });
    if (!from.includes(held.status)) throw notSteerable(held, act);
    await change(tx, held);
    await tx.audit({
      actor: actor.name,
      action: `deployment_${act}_requested`,
      subject: id,
      facts: { status: held.status, ...facts },
    });
    // Here and now: whoever was told that it goes on must not find it paused.
    if (held.status === 'paused') await carryOn(edges, tx, id);
    await tx.wake({ about: 'deployment', id });
    return (await tx.deployment(id)) as DeploymentRow;
  });
}

function whereItIs({ status }: DeploymentRow): string {
  return deploymentHasEnded(status) ? `it has ended: ${status}` : `it is ${status}`;
}

/** Why not, and where to look. */
export function notSteerable(held: DeploymentRow, act: Act, why = whereItIs(held)): FraisierError {
  const { id, status } = held;
  return new FraisierError('not_steerable', `cannot ${act} ${id}: ${why}`, {
    hint: `fraisier show ${id}`,
    facts: { status },
  });
}
