import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { pathsUnchanged, type RouteTarget } from './ask-environments.js';
import { touches } from './changed-paths.js';
import type { OrderQuestion } from './order-pushes.js';

/** What only the repository can tell before a target is deployed. */
export type Doubt =
  | { readonly about: 'paths'; readonly target: RouteTarget; readonly why: string }
  | { readonly about: 'order'; readonly target: RouteTarget; readonly question: OrderQuestion };

/** What agents said; `unknown`: nobody could, and why. */
export type PathsTold = { readonly paths: readonly string[] } | { readonly unknown: string };
export type OrderTold = { readonly older: boolean } | { readonly unknown: string };

export interface Answers {
  /** By `pathsKey`. */
  readonly paths: ReadonlyMap<string, PathsTold>;
  /** By `orderKey`. */
  readonly order: ReadonlyMap<string, OrderTold>;
}

export const NO_ANSWERS: Answers = { paths: new Map(), order: new Map() };

/** Of what goes where. */
export function pathsKey({ fraise, environment, event }: RouteTarget): string {
  return `${fraise}/${environment} ${event.commit}`;
}

/** The same for every environment. */
export function orderKey({ before, commit, other }: OrderQuestion): string {
  return `${before} ${commit} ${other}`;
}

export type PathsVerdict =
  | { readonly deploy: true; readonly remark: Reason | null }
  | { readonly deploy: false; readonly remark: Reason }
  | { readonly doubt: Doubt };

/** Whether something changed in the paths of a target. When nobody can say, it is deployed rather than left out. */
export function judgePaths(target: RouteTarget, answers: Answers): PathsVerdict {
  const { unsure, environmentConfig } = target;
  if (unsure === null) return { deploy: true, remark: null };
  const told = answers.paths.get(pathsKey(target));
  if (told === undefined) return { doubt: { about: 'paths', target, why: unsure } };
  if ('unknown' in told) return { deploy: true, remark: pathsUnknown(target, `${unsure}; ${told.unknown}`) };
  if (touches(environmentConfig.paths, told.paths)) return { deploy: true, remark: null };
  return { deploy: false, remark: pathsUnchanged(environmentConfig) };
}

function pathsUnknown({ fraise, environment }: RouteTarget, why: string): Reason {
  const message = `${fraise} ${environment} is deployed without knowing whether its paths changed: ${why}`;
  return reason('paths_unknown', message, { facts: { fraise, environment } });
}

/** That nobody could tell which push is the newer one. */
export function orderUnknown({ fraise, environment }: RouteTarget, other: string, why: string): Reason {
  const message = `${fraise} ${environment}: whether this push is newer than ${other} is not known (${why}), so the order in which they were received counts`;
  return reason('order_unknown', message, { facts: { fraise, environment, other } });
}

/** Why a delivery is pending. */
export function waitingFor(doubts: readonly [Doubt, ...Doubt[]]): Reason {
  const said = doubts.map(({ about, target }) => {
    const what = about === 'paths' ? 'whether its paths changed' : 'whether something newer is deployed';
    return `${target.fraise} ${target.environment} (${what})`;
  });
  const [first] = doubts;
  return reason(
    first.about === 'paths' ? 'paths_unknown' : 'order_unknown',
    `an agent is being asked about ${said.join(', ')}`,
    { hint: 'fraisier agents' },
  );
}
