import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Configuration } from '../fraises/fraises.js';
import type { PushEvents } from './push-event.js';
import { joined, type Routed, type RouteTarget } from './ask-environments.js';
import { route } from './route.js';

/**
 * Decides what a delivery deploys, which may tell several events: all that any of them deploys, no commit twice to the
 * same environment. It is ignored when none deploys anything, for the reasons of all.
 */
export function routeDelivery(
  configuration: Configuration,
  events: PushEvents,
  agentsLive: readonly LiveFraise[],
): Routed {
  const targets: RouteTarget[] = [];
  const remarks: Reason[] = [];
  const ignored: Reason[] = [];
  for (const event of events) {
    const routed = route(configuration, event, agentsLive);
    if ('ignored' in routed) ignored.push(routed.ignored);
    else {
      targets.push(...routed.targets);
      remarks.push(...routed.remarks);
    }
  }
  const [first, ...others] = onceEach(targets);
  return first === undefined ? { ignored: joined(ignored) } : { targets: [first, ...others], remarks };
}

/** Of two for the same, the one that is sure. */
function onceEach(targets: readonly RouteTarget[]): readonly RouteTarget[] {
  const byPair = new Map<string, RouteTarget>();
  for (const target of targets) {
    const key = `${target.fraise}/${target.environment} ${target.event.commit}`;
    if (target.unsure === null || !byPair.has(key)) byPair.set(key, target);
  }
  return [...byPair.values()];
}
