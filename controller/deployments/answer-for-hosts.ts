import { FraisierError } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { isGoingBack } from './decide-rollback.js';
import type { Actor, Edges } from './edges.js';
import { failures, isForAll } from './failed-hosts.js';
import type { Answer, DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import {
  hostsOf,
  isConnected,
  latestRuns,
  planOf,
  skippedHosts,
  type LatestRuns,
} from './runs-of-deployment.js';
import { situationOf } from './situation.js';
import { notSteerable, steer } from './steer-deployment.js';
import { unansweredHosts, waysOn } from './unanswered.js';

/**
 * Says what becomes of hosts on which a paused deployment failed: done again, or left out, which undoes what it changed there. It goes
 * on once that is said of every such host. Throws `not_steerable` when it is not paused or is going back, when a host did not fail, or
 * when nothing would be left without it; `unknown_host`; `usage` when none is named.
 */
export function answerForHosts(
  edges: Edges,
  id: string,
  { act, hosts }: { readonly act: Answer['act']; readonly hosts: readonly string[] },
  actor: Actor,
): Promise<DeploymentRow> {
  return steer(
    edges,
    id,
    actor,
    act,
    ['paused'],
    async (tx, held) => {
      const situation = await situationOf(edges, tx, held);
      const latest = latestRuns(situation.runs);
      const refused = whyNot(act, hosts, held, latest);
      if (refused !== null) throw refused;
      const given = hosts.map((host) => ({
        host,
        act,
        by: actor.name,
        wasAway: !isConnected(situation, host),
      }));
      const answers = [...held.answers.filter(({ host }) => !hosts.includes(host)), ...given];
      const answered = { ...held, answers };
      const isLast = unansweredHosts(answered, latest).length === 0;
      // One that is paused has a reason; what clears it are the other hosts now.
      const left = { reason: { ...(held.reason as Reason), hint: waysOn(answered, latest) } };
      return tx.moveDeployment(id, held.status, held.status, {
        answers,
        ...(isLast ? { continueRequestedBy: actor.name, continued: true } : left),
      });
    },
    { hosts: hosts.join(' ') },
  );
}

function whyNot(
  act: Answer['act'],
  hosts: readonly string[],
  held: DeploymentRow,
  latest: LatestRuns,
): FraisierError | null {
  if (hosts.length === 0) return new FraisierError('usage', `which host of ${held.id}?`);
  const planned = hostsOf(planOf(held));
  const foreign = hosts.find((host) => !planned.includes(host));
  if (foreign !== undefined)
    return new FraisierError(
      'unknown_host',
      `${foreign} is not a host of ${held.id}: ${planned.join(', ')}`,
      {
        facts: { host: foreign },
      },
    );
  if (isGoingBack(held, latest.all)) return notSteerable(held, act, 'it is going back already');
  // The last word counts: what was said before does not hide that it failed.
  const failed = failures({ ...held, answers: [] }, latest);
  const well = hosts.find((host) => !failed.some((run) => run.host === host));
  if (well !== undefined) return notSteerable(held, act, `nothing failed on ${well}`);
  return act === 'skip' ? whyNotWithout(hosts, held, failed, planned) : null;
}

function whyNotWithout(
  hosts: readonly string[],
  held: DeploymentRow,
  failed: readonly RunRow[],
  planned: readonly string[],
): FraisierError | null {
  const { migratingHost } = planOf(held);
  if (held.kind === 'rollback') return notSteerable(held, 'skip', 'a rollback leaves no host out half-way');
  const needed = failed.find((run) => hosts.includes(run.host) && isForAll(run, migratingHost));
  if (needed !== undefined)
    return notSteerable(held, 'skip', `no host can go on without ${needed.phase} on ${needed.host}`);
  const out = [...hosts, ...skippedHosts(held)];
  return planned.every((host) => out.includes(host))
    ? notSteerable(held, 'skip', 'no host would be left')
    : null;
}
