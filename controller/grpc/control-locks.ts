import type { ControlServer } from '../../proto/gen/fraisier/v1/control.js';
import { lockFraise, unlockFraise } from '../deployments/lock-fraise.js';
import { unary, type Gate } from './calls.js';
import type { ControlEdges } from './control-edges.js';
import { packLock } from './pack.js';

type Handlers = Pick<ControlServer, 'lockFraise' | 'unlockFraise' | 'listLocks'>;

/** Freezes of fraises. */
export function lockHandlers({ edges }: ControlEdges, gate: Gate): Handlers {
  return {
    lockFraise: unary(gate, 'deployer', async ({ forMs, ...wish }, { actor }) =>
      packLock(await lockFraise(edges, { ...wish, forMs: forMs || null }, actor)),
    ),
    unlockFraise: unary(gate, 'deployer', async (where, { actor }) =>
      packLock(await unlockFraise(edges, where, actor)),
    ),
    listLocks: unary(gate, 'viewer', async () => ({ locks: (await edges.ledger.locks()).map(packLock) })),
  };
}
