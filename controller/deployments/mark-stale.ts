import type { HostStatus } from '../../proto/gen/fraisier/v1/control.js';
import type { Environment } from '../fraises/fraises.js';
import type { LeftBehind } from './left-behind.js';
import { reason } from './reason.js';

/** A host that a deployment left as it was says so, and what will mend it. */
export function markStale(
  status: HostStatus,
  left: readonly LeftBehind[],
  { fraise, name, rollout }: Environment,
): HostStatus {
  const one = left.find(({ host }) => host === status.host);
  if (one === undefined || (status.status !== 'stale' && status.status !== 'away')) return status;
  const { host, by, wasAway, wasTried } = one;
  const comes = rollout.catchUp && wasAway && !wasTried;
  const message = `left as it was by ${by.id}${wasAway ? ', because it was away' : ''}`;
  const mended = comes ? `${message}; it is brought up to date once it is back` : message;
  const before = status.reason === undefined ? '' : `${status.reason.message}; `;
  const hint = comes ? '' : `fraisier retry ${by.id} --host ${host}`;
  const facts = { deployment: by.id, fraise, environment: name };
  return { ...status, reason: reason('left_behind', `${before}${mended}`, { hint, facts }) };
}
