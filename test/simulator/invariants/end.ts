import { wentLive } from '../../../controller/deployments/left-behind.js';
import { deploymentHasEnded, runHasEnded } from '../../../controller/deployments/lifecycle.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import type { Cluster } from '../cluster.js';
import { locksInForce, type LedgerState } from '../ledger-state.js';
import type { World } from '../world.js';
import { exceptedHosts, notCaughtUp, untrueCatchUps, untrueTakenBack } from './left-out.js';

/** Everything that is still going on, in words; nothing when the cluster is quiet. */
export function stillGoingOn(cluster: Cluster, world: World, state: LedgerState): readonly string[] {
  return [
    ...state.deployments
      .filter((row) => !deploymentHasEnded(row.status) && !waitsForPeople(row, cluster, state))
      .map(({ id, status, reason }) => `${id} is ${status} (${reason?.message ?? 'no reason'})`),
    ...state.runs
      .filter(({ status }) => !runHasEnded(status))
      .map(({ id, status, phase, host }) => `${id}, ${phase} on ${host}, is ${status}`),
    ...state.deliveries.filter(({ verdict }) => verdict === 'pending').map(({ id }) => `${id} is pending`),
    ...unreported(cluster),
    ...notBack(cluster, state),
    ...notCaughtUp(cluster, world, state),
  ];
}

function unreported(cluster: Cluster): readonly string[] {
  const told: string[] = [];
  for (const [name, agent] of cluster.agents) {
    for (const { folder } of agent.runs.unfinished())
      told.push(`${name} keeps ${folder.runId}, acknowledged up to ${folder.acknowledged}`);
  }
  return told;
}

/** What was given up while a host was away is true again once it is back and has said what is live on it. */
function notBack(cluster: Cluster, { agents }: LedgerState): readonly string[] {
  const now = cluster.now();
  return agents
    .filter(({ leaseExpiresAt }) => leaseExpiresAt === null || leaseExpiresAt <= now)
    .map(({ name }) => `${name} is away`);
}

type Deployment = LedgerState['deployments'][number];

/** Paused with a reason, or queued behind one that is, or behind a lock. */
function waitsForPeople(
  { status, reason, fraise, environment, kind }: Deployment,
  cluster: Cluster,
  state: LedgerState,
): boolean {
  if (status === 'paused') return reason !== null;
  if (status !== 'queued' || reason === null) return false;
  const isThis = (other: { readonly fraise: string; readonly environment: string }): boolean =>
    other.fraise === fraise && other.environment === environment;
  const paused = state.deployments.some((other) => isThis(other) && other.status === 'paused');
  const locked = locksInForce(state, cluster.now()).some(isThis);
  return paused || (locked && kind !== 'rollback');
}

/** What the record says that is not so, once everything is quiet. */
export function untrue(cluster: Cluster, world: World, state: LedgerState): readonly string[] {
  return [
    ...untrueLive(cluster, world, state),
    ...untrueEnds(cluster, world, state),
    ...untrueCatchUps(state),
    ...logsLost(state),
  ];
}

function untrueLive(cluster: Cluster, { pairs }: World, { agents }: LedgerState): readonly string[] {
  return cluster.hosts.flatMap((host) => {
    const row = agents.find(({ name }) => name === host.name);
    return pairs.flatMap((pair) => {
      const isThis = (one: { readonly fraise: string; readonly environment: string }): boolean =>
        one.fraise === pair.fraise && one.environment === pair.environment;
      const recorded = row?.live.find(isThis)?.release ?? '';
      const { live } = host.installed(pair);
      const what = `${pair.fraise} ${pair.environment} on ${host.name}`;
      return recorded === live ? [] : [`${what} is recorded as ${short(recorded)} and is ${short(live)}`];
    });
  });
}

/** What the last deployment of each environment says it left, held against its hosts and its database. */
function untrueEnds(cluster: Cluster, world: World, state: LedgerState): readonly string[] {
  return world.pairs.flatMap((pair) => {
    const mine = state.deployments.filter(
      (row) => row.fraise === pair.fraise && row.environment === pair.environment && row.plan !== null,
    );
    const last = mine.toSorted((one, other) => Number(one.startedAt) - Number(other.startedAt)).at(-1);
    if (last?.plan == null || !wentLive(last) || last.status === 'rolled_back') return [];
    const said = `${last.id} of ${pair.fraise} ${pair.environment} went live`;
    const excepted = exceptedHosts(last);
    const planned = last.plan.hosts.filter(({ host }) => !excepted.includes(host));
    const hosts = planned.flatMap(({ host: name }) => {
      const host = cluster.hosts.find((one) => one.name === name);
      const live = host?.installed(pair).live ?? '';
      return live === last.commit ? [] : [`${said}, but ${name} has ${short(live)}`];
    });
    const commit = world.software.commit(pair.fraise, last.commit);
    const { applied } = world.software.database(pair);
    const missing = commit?.migrations.filter((id) => !applied.includes(id)) ?? [];
    const wants = last.plan.migratingHost !== '' && last.kind !== 'rollback' && missing.length > 0;
    return [
      ...hosts,
      ...untrueTakenBack(cluster, pair, last, state.runs),
      ...(wants ? [`${said}, but ${missing.join(', ')} is not applied`] : []),
    ];
  });
}

/**
 * The output of a step that was recorded whole is whole. More of it may be recorded than is left on the host after its power
 * was cut: output is sent before the disk has it for good.
 */
function logsLost({ events, logs }: LedgerState): readonly string[] {
  return events.flatMap(({ event }) => {
    if (event.event?.$case !== 'stepFinished') return [];
    const { step, attempt, logBytes, outcome } = event.event.value;
    const stored = logs
      .filter((row) => row.runId === event.runId && row.step === step && row.attempt === attempt)
      .reduce((end, { offset, data }) => Math.max(end, offset + data.length), 0);
    return stored === logBytes || (stored > logBytes && outcome === Outcome.INTERRUPTED)
      ? []
      : [`of the output of ${step} of ${event.runId} ${stored} of ${logBytes} bytes are stored`];
  });
}

function short(commit: string): string {
  return commit === '' ? 'nothing' : commit.slice(0, 8);
}
