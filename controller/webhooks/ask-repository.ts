import { FraisierError } from '../../proto/error-codes.js';
import { askAgent, type Answered, type Asked } from '../deployments/ask-agent.js';
import { isHere, isNames, selectHosts } from '../deployments/select-hosts.js';
import type { Edges } from '../deployments/edges.js';
import { targetOf } from '../deployments/plan.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import type { RouteTarget } from './ask-environments.js';
import type { OrderTold, PathsTold } from './doubts.js';
import type { OrderQuestion } from './order-pushes.js';
import { isNoCommit } from './payload.js';

/** From asking an agent, which may have to fetch, to asking the next. */
const ANSWER_MS = 15_000;
/** More would not know more. */
const MOST_HOSTS = 2;
/** What another try may mend. */
const PASSING: readonly string[] = ['agent_away', 'no_answer', 'fetch_failed', 'no_hosts'];

/** `again`: it is worth asking again later. */
export type Told<T> = { readonly told: T; readonly again: boolean };

/** Where repositories are asked, and by which configuration. */
export interface Asking {
  readonly edges: Edges;
  readonly configuration: Configuration;
}

/**
 * The paths in which the commit of a push differs from the head before it; or, where that head cannot be had, from
 * `lastCommit`, the one that was last deployed there. Never throws for want of an answer.
 */
export async function askChangedPaths(
  asking: Asking,
  { event, environmentConfig }: RouteTarget,
  lastCommit: string | null,
): Promise<Told<PathsTold>> {
  const before = event.kind === 'push' && !isNoCommit(event.before) ? event.before : null;
  const bases = [before, lastCommit].filter((one) => one !== null);
  let problem: FraisierError | null = null;
  for (const from of new Set(bases)) {
    const target = targetOf(environmentConfig);
    const question = { $case: 'changedPaths', value: { target, from, to: event.commit } } as const;
    const answer = await askOneHost(asking, environmentConfig, question);
    if (answer instanceof FraisierError) problem ??= answer;
    else if (answer.$case !== 'pathsBetween') return settled({ unknown: 'an agent answered something else' });
    else if (answer.value.truncated) return settled({ unknown: 'more paths changed than an agent tells' });
    else return settled({ paths: answer.value.paths });
    if (PASSING.includes(problem.reason.code)) break;
  }
  return problem === null ? settled({ unknown: 'nothing was deployed there before' }) : failed(problem);
}

/**
 * Whether a push is older than what is deployed: its commit is in the history of the other one, and the push did not
 * rewrite its branch. Never throws for want of an answer.
 */
export async function askOrder(
  asking: Asking,
  { environmentConfig }: RouteTarget,
  { before, commit, other }: OrderQuestion,
): Promise<Told<OrderTold>> {
  for (const [ancestor, descendant] of [
    [commit, other],
    [before, commit],
  ] as const) {
    const target = targetOf(environmentConfig);
    const question = { $case: 'isAncestor', value: { target, ancestor, descendant } } as const;
    const answer = await askOneHost(asking, environmentConfig, question);
    if (answer instanceof FraisierError) return failed(answer);
    if (answer.$case !== 'ancestry') return settled({ unknown: 'an agent answered something else' });
    if (!answer.value.isAncestor) return settled({ older: false });
  }
  return settled({ older: true });
}

/** Where a branch is now; otherwise why nobody could tell. */
export async function askBranchHead(
  asking: Asking,
  environment: Environment,
  branch: string,
): Promise<string | FraisierError> {
  const question = { target: targetOf(environment), ref: branch, steps: [] };
  const answer = await askOneHost(asking, environment, { $case: 'resolveRef', value: question });
  if (answer instanceof FraisierError) return answer;
  if (answer.$case === 'resolved') return answer.value.commit;
  return new FraisierError('no_answer', 'an agent answered something else than a commit');
}

/** The answer of the first host that has one; otherwise what the last one said. */
async function askOneHost(
  { edges, configuration }: Asking,
  environment: Environment,
  question: Asked,
): Promise<Answered | FraisierError> {
  const [agents, now] = [await edges.ledger.agents(), await edges.ledger.now()];
  const hosts = selectHosts({ configuration, environment, agents }, []);
  if (!isNames(hosts)) return new FraisierError('no_hosts', hosts.message, hosts);
  const here = hosts.filter((host) => agents.some((one) => one.name === host && isHere(one, now)));
  let problem = new FraisierError('agent_away', `no agent of ${hosts.join(', ')} is connected`);
  for (const host of here.slice(0, MOST_HOSTS)) {
    try {
      return await askAgent(edges, host, question, ANSWER_MS);
    } catch (error) {
      if (!(error instanceof FraisierError)) throw error;
      problem = error;
    }
  }
  return problem;
}

function settled<T>(told: T): Told<T> {
  return { told, again: false };
}

function failed({ message, reason }: FraisierError): Told<{ readonly unknown: string }> {
  return { told: { unknown: message }, again: PASSING.includes(reason.code) };
}
