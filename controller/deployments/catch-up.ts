import { allEnvironments, type Configuration, type Environment } from '../fraises/fraises.js';
import { currentConfiguration, type AppliedConfiguration } from './configuration.js';
import type { Edges } from './edges.js';
import { CATCHING_UP, leftBehind, type LeftBehind } from './left-behind.js';
import type { Ledger } from './ledger.js';
import type { AgentRow } from './ledger/agent.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { isHere, isNames, selectHosts } from './select-hosts.js';
import { tell } from './tell.js';

/** As many ended deployments say who was left behind; who was by an older one is deployed to by hand. */
export const REMEMBERED = 50;

/**
 * Brings hosts up to date that were left behind because they were away, and are back, where the configuration says `catch_up`: one
 * deployment of what is live for each environment, once. Nothing is migrated by it. Returns what it asked for. Waits while
 * anything else is under way there, or the fraise is locked.
 */
export async function catchUp(edges: Edges): Promise<readonly DeploymentRow[]> {
  if ((await edges.ledger.currentConfiguration()) === null) return [];
  const { configuration, revision } = await currentConfiguration(edges.ledger, edges.parsed);
  const made: DeploymentRow[] = [];
  for (const environment of wanted(configuration)) {
    const due = await whatIsDue(edges.ledger, configuration, environment);
    if (due !== null) made.push(...(await ask(edges, { configuration, revision }, environment)));
  }
  return made;
}

function wanted(configuration: Configuration): readonly Environment[] {
  return allEnvironments(configuration).filter(({ rollout }) => rollout.catchUp);
}

interface Due {
  /** What the record says is live. */
  readonly live: DeploymentRow;
  readonly hosts: readonly [LeftBehind, ...LeftBehind[]];
}

/** Hosts that are back and have something else than what is live; none while anything is under way, or locked. */
async function whatIsDue(ledger: Ledger, configuration: Configuration, of: Environment): Promise<Due | null> {
  const { fraise, name: environment } = of;
  const live = await ledger.lastSucceeded(fraise, environment);
  if (live === null || (await ledger.lockOn(fraise, environment)) !== null) return null;
  if ((await ledger.unfinishedDeployments({ fraise, environment })).length > 0) return null;
  const now = await ledger.now();
  const agents = await ledger.agents();
  const isDue = (agent: AgentRow): boolean => isHere(agent, now) && liveOn(agent, live) !== live.commit;
  const names = selectHosts({ configuration, environment: of, agents }, [], { migrates: false });
  const behind = agents
    .filter(isDue)
    .flatMap(({ name }) => (isNames(names) && names.includes(name) ? [name] : []));
  if (behind.length === 0) return null;
  const left = leftBehind(await ledger.endedDeployments(fraise, environment, REMEMBERED));
  const [first, ...more] = left.filter((one) => one.wasAway && !one.wasTried && behind.includes(one.host));
  return first === undefined ? null : { live, hosts: [first, ...more] };
}

/** Looks again with the fraise held: two controllers ask once. */
function ask(
  edges: Edges,
  { configuration, revision }: AppliedConfiguration,
  environment: Environment,
): Promise<readonly DeploymentRow[]> {
  const { fraise, name } = environment;
  return edges.ledger.transaction(async (tx) => {
    await tx.holdFraise(fraise, name);
    const due = await whatIsDue(tx, configuration, environment);
    if (due === null) return [];
    const { live, hosts } = due;
    const { id: leftBy } = hosts[0].by;
    const deployment = await tx.insertDeployment({
      ...{ id: edges.newId('d'), fraise, environment: name, kind: 'retry', ...CATCHING_UP },
      ...{ commit: live.commit, ref: live.ref, configRevision: revision, originId: leftBy },
      ...{ webhookId: null, requestId: null, force: false, pushedAt: null, rollback: null },
      onlyHosts: hosts.map(({ host }) => host),
    });
    await tx.audit({
      actor: CATCHING_UP.requestedBy,
      action: 'catch_up_requested',
      subject: deployment.id,
      facts: {
        fraise,
        environment: name,
        commit: live.commit,
        hosts: deployment.onlyHosts.join(' '),
        left_by: leftBy,
      },
    });
    await tell(tx, 'deployment_queued', deployment, 'queued');
    await tx.wake({ about: 'deployment', id: deployment.id });
    return [deployment];
  });
}

function liveOn({ live }: AgentRow, { fraise, environment }: DeploymentRow): string {
  return live.find((one) => one.fraise === fraise && one.environment === environment)?.release ?? '';
}
