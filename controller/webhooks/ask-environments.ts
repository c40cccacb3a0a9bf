import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import type { Environment } from '../fraises/fraises.js';
import { pathsChanged } from './changed-paths.js';
import type { Deployable } from './push-event.js';

/** What goes where. */
export interface RouteTarget {
  readonly event: Deployable;
  readonly fraise: string;
  readonly environment: string;
  readonly environmentConfig: Environment;
  /** Why only the repository can tell whether its paths changed; null: it is known that they did. */
  readonly unsure: string | null;
}

/** The targets of an event that deploys, and what is to be said of them; otherwise why it deploys nothing. */
export type Routed =
  | { readonly targets: readonly [RouteTarget, ...RouteTarget[]]; readonly remarks: readonly Reason[] }
  | { readonly ignored: Reason };

/** Asks each environment whether it wants this push. One that cannot know from the delivery is `unsure`. */
export function askEnvironments(event: Deployable, matching: readonly Environment[]): Routed {
  const targets: RouteTarget[] = [];
  const remarks: Reason[] = [];
  for (const environmentConfig of matching) {
    const { fraise, name: environment } = environmentConfig;
    const answer = wants(event, environmentConfig);
    if ('not' in answer) remarks.push(answer.not);
    else targets.push({ event, fraise, environment, environmentConfig, unsure: answer.unsure });
  }
  const [first, ...others] = targets;
  return first === undefined ? { ignored: joined(remarks) } : { targets: [first, ...others], remarks };
}

function wants(
  event: Deployable,
  environment: Environment,
): { readonly not: Reason } | { readonly unsure: string | null } {
  const { fraise, name, skipMarker, paths } = environment;
  if (skipMarker && event.kind === 'push' && /\[skip deploy\]/i.test(event.headMessage ?? '')) {
    const message = `${fraise} ${name} was left out: the head commit says [skip deploy]`;
    const more = { hint: `fraisier deploy ${fraise} ${name}`, facts: { fraise, environment: name } };
    return { not: reason('skip_marker', message, more) };
  }
  const answer = pathsChanged(paths, event);
  switch (answer.changed) {
    case true:
      return { unsure: null };
    case false:
      return { not: pathsUnchanged(environment) };
    case 'must_ask_repository':
      return { unsure: answer.why };
  }
}

/** Why a push is left out that touched nothing of an environment. */
export function pathsUnchanged({ fraise, name, paths }: Environment): Reason {
  const message = `${fraise} ${name} was left out: nothing changed in its paths (${paths.join(', ')})`;
  const facts = { fraise, environment: name };
  return reason('paths_unchanged', message, { hint: `fraisier deploy ${fraise} ${name}`, facts });
}

/** Several reasons as one: the code, hint and facts of the first, what all of them say. */
export function joined(reasons: readonly Reason[]): Reason {
  const message = [...new Set(reasons.map((one) => one.message))].join('; ');
  return { ...(reasons[0] as Reason), message };
}
