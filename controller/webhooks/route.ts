import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import { askEnvironments, type Routed } from './ask-environments.js';
import { matchesGlob } from './matches-glob.js';
import type { BranchPush, Deployable, PullRequest, PushEvent, TagPush } from './push-event.js';
import { environmentsOf } from './repository-match.js';

/**
 * Decides what an event deploys: first whose repository it is, then which branch or tag, then what the environment asks
 * of a push. `agentsLive` is what agents found on their hosts, for fraises that name no repository. Only a push to a
 * branch or a tag ever deploys, a tag never as the branch of the same name.
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
    case 'pull_request':
      return { ignored: reason('not_a_push', pullRequestMessage(event)) };
    case 'ping':
      return { ignored: reason('not_a_push', 'the git host tried out the webhook, which deploys nothing') };
    case 'unknown':
      return { ignored: reason('unknown_event', `only pushes deploy, this is: ${event.event}`) };
  }
}

function pullRequestMessage({ number, action }: PullRequest): string {
  const which = number === null ? 'a pull request' : `pull request ${number}`;
  return `${which} (${action || 'changed'}) deploys nothing; its merge is told by a push`;
}

function routePush(
  configuration: Configuration,
  event: Deployable,
  agentsLive: readonly LiveFraise[],
): Routed {
  const ofRepository = environmentsOf(configuration, event.repositoryUrls, agentsLive);
  if (ofRepository.length === 0) return { ignored: unknownRepository(event) };
  return event.kind === 'tag'
    ? routeTag(ofRepository, event)
    : routeBranch(configuration, ofRepository, event);
}

function routeBranch(
  configuration: Configuration,
  candidates: readonly Environment[],
  event: BranchPush,
): Routed {
  const branches = new Map(candidates.map((one) => [one, branchesOf(configuration, one)]));
  const matching = candidates.filter((one) =>
    branches.get(one)?.some((branch) => matchesGlob(event.branch, branch)),
  );
  if (matching.length > 0) return askEnvironments(event, matching);
  const configured = [...new Set([...branches.values()].flat())];
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

/** Its own `branch` united with what `branch_mapping` says. No name of a branch holds a character of a pattern. */
export function branchesOf(configuration: Configuration, environment: Environment): readonly string[] {
  const mapped = Object.entries(configuration.branchMapping)
    .filter(([, targets]) =>
      targets.some((one) => one.fraise === environment.fraise && one.environment === environment.name),
    )
    .map(([branch]) => branch);
  const own = environment.branch ?? environment.branchPattern;
  return own === null ? mapped : [own, ...mapped];
}

function routeTag(candidates: readonly Environment[], event: TagPush): Routed {
  const matching = candidates.filter((one) => one.tags !== null && matchesGlob(event.tag, one.tags));
  if (matching.length > 0) return askEnvironments(event, matching);
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
