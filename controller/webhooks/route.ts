import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { allEnvironments, type Configuration, type Environment } from '../fraises/fraises.js';
import { repositoryKey } from '../fraises/repository-key.js';
import { matchesGlob } from './matches-glob.js';
import type { BranchPush, Deployable, PushEvent, TagPush } from './push-event.js';

/** Where a push goes. */
export interface RouteTarget {
  readonly fraise: string;
  readonly environment: string;
  readonly environmentConfig: Environment;
}

/** The targets of an event that deploys, otherwise why it deploys nothing. */
export type Routed =
  { readonly event: Deployable; readonly targets: readonly RouteTarget[] } | { readonly ignored: Reason };

/**
 * Decides what an event deploys: first whose repository it is, then which branch or tag. `agentsLive` is what agents
 * found on their hosts, for fraises that name no repository. Only a push to a branch or a tag ever deploys, a tag
 * never as the branch of the same name.
 */
export function route(
  configuration: Configuration,
  event: PushEvent,
  agentsLive: readonly LiveFraise[],
): Routed {
  switch (event.kind) {
    case 'push':
    case 'tag':
      return routePush(configuration, event, agentsLive);
    case 'branch_deleted':
      return {
        ignored: reason('branch_deleted', `branch ${event.branch} was deleted, which deploys nothing`),
      };
    case 'tag_deleted':
      return { ignored: reason('tag_push', `tag ${event.tag} was deleted, which deploys nothing`) };
    case 'ping':
      return { ignored: reason('not_a_push', 'the git host tried out the webhook, which deploys nothing') };
    case 'unknown':
      return { ignored: reason('unknown_event', `only pushes deploy, this is: ${event.event}`) };
  }
}

function routePush(
  configuration: Configuration,
  event: Deployable,
  agentsLive: readonly LiveFraise[],
): Routed {
  const keys = new Set(event.repositoryUrls.map(repositoryKey));
  const ofRepository = allEnvironments(configuration).filter((one) =>
    addressesOf(one, agentsLive).some((address) => keys.has(repositoryKey(address))),
  );
  if (ofRepository.length === 0) return { ignored: unknownRepository(event) };
  if (event.kind === 'tag') return routeTag(ofRepository, event);
  return routeBranch(configuration, ofRepository, event);
}

/** Where the code of an environment comes from: what the configuration says, otherwise what its hosts report. */
function addressesOf(environment: Environment, agentsLive: readonly LiveFraise[]): readonly string[] {
  if (environment.repository !== null) return [environment.repository];
  return agentsLive
    .filter(
      (one) => one.fraise === environment.fraise && one.environment === environment.name && one.origin !== '',
    )
    .map((one) => one.origin);
}

function routeBranch(
  configuration: Configuration,
  candidates: readonly Environment[],
  event: BranchPush,
): Routed {
  const branches = new Map(candidates.map((one) => [one, branchesOf(configuration, one)]));
  const matching = candidates.filter((one) => branches.get(one)?.has(event.branch));
  if (matching.length > 0) return { event, targets: matching.map(asTarget) };
  const configured = [...new Set([...branches.values()].flatMap((some) => [...some]))];
  return {
    ignored: reason(
      'no_target',
      `no environment deploys branch ${event.branch} of this repository; branches that are deployed: ` +
        (configured.join(', ') || 'none'),
      {
        hint: 'name the branch in `branch` of an environment or in `branch_mapping`, then: fraisier apply',
        facts: { branch: event.branch, configured: configured.join(' ') },
      },
    ),
  };
}

/** Its own `branch` united with what `branch_mapping` says, each once. */
function branchesOf(configuration: Configuration, environment: Environment): ReadonlySet<string> {
  const mapped = Object.entries(configuration.branchMapping)
    .filter(([, targets]) =>
      targets.some((one) => one.fraise === environment.fraise && one.environment === environment.name),
    )
    .map(([branch]) => branch);
  return new Set(environment.branch === null ? mapped : [environment.branch, ...mapped]);
}

function routeTag(candidates: readonly Environment[], event: TagPush): Routed {
  const matching = candidates.filter((one) => one.tags !== null && matchesGlob(event.tag, one.tags));
  if (matching.length > 0) return { event, targets: matching.map(asTarget) };
  const patterns = [...new Set(candidates.flatMap((one) => one.tags ?? []))].join(', ');
  return {
    ignored: reason(
      'tag_push',
      `no environment deploys tag ${event.tag} of this repository; tags that are deployed: ${patterns || 'none'}`,
      {
        hint: 'set `tags` of an environment, for example "v*", then: fraisier apply',
        facts: { tag: event.tag },
      },
    ),
  };
}

function unknownRepository(event: Deployable): Reason {
  const address = event.repositoryUrls[0];
  return reason('unknown_repository', `no fraise is deployed from ${address}`, {
    hint: 'set `repository` of the fraise to this address, then: fraisier apply',
    facts: { repository: address },
  });
}

function asTarget(environment: Environment): RouteTarget {
  return { fraise: environment.fraise, environment: environment.name, environmentConfig: environment };
}
