import type { EnvironmentStatus, HostStatus } from '../../proto/gen/fraisier/v1/control.js';
import type { Inspection } from '../../proto/gen/fraisier/v1/agent.js';
import type { Health, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { findEnvironment } from '../fraises/find-environment.js';
import { allEnvironments, type Configuration, type Environment } from '../fraises/fraises.js';
import { askAgent } from './ask-agent.js';
import { currentConfiguration } from './configuration.js';
import { REMEMBERED } from './catch-up.js';
import { isHere, isNames, selectHosts } from './select-hosts.js';
import { leftBehind } from './left-behind.js';
import { markStale } from './mark-stale.js';
import type { Edges } from './edges.js';
import type { AgentRow } from './ledger/agent.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { LockRow } from './ledger/lock.js';
import { makePlan, targetOf } from './plan.js';
import { MEASURED, queueOf } from './queue.js';

/** How long a host may take to look at itself before it is shown as `unknown`. */
const INSPECT_MS = 10_000;

/** What the record says beside what each host sees now; deployments are translated by the caller. */
export interface EnvironmentLook extends Omit<EnvironmentStatus, 'unfinished' | 'last' | 'lock'> {
  readonly unfinished: readonly DeploymentRow[];
  readonly lock: LockRow | null;
}

/** Looks at every host of the environments asked for, in parallel. Unknown names throw `unknown_fraise`, `unknown_environment`. */
export async function environmentStatus(
  edges: Edges,
  where: { readonly fraise: string; readonly environment: string },
): Promise<readonly EnvironmentLook[]> {
  const { configuration } = await currentConfiguration(edges.ledger);
  const wanted = selected(configuration, where);
  return Promise.all(wanted.map((environment) => look(edges, configuration, environment)));
}

function selected(
  configuration: Configuration,
  where: { fraise: string; environment: string },
): readonly Environment[] {
  if (where.environment !== '') return [findEnvironment(configuration, where.fraise, where.environment)];
  const all = allEnvironments(configuration);
  if (where.fraise === '') return all;
  const found = all.filter((environment) => environment.fraise === where.fraise);
  return found.length > 0 ? found : [findEnvironment(configuration, where.fraise, '')];
}

async function look(
  edges: Edges,
  configuration: Configuration,
  environment: Environment,
): Promise<EnvironmentLook> {
  const { ledger } = edges;
  const pair = { fraise: environment.fraise, environment: environment.name };
  const [agents, live, unfinished, lock, ended] = await Promise.all([
    ledger.agents(),
    ledger.lastSucceeded(pair.fraise, pair.environment),
    ledger.unfinishedDeployments(pair),
    ledger.lockOn(pair.fraise, pair.environment),
    ledger.endedDeployments(pair.fraise, pair.environment, REMEMBERED),
  ]);
  const hosts = selectHosts({ configuration, environment, agents }, []);
  const wantedVersion = live?.commit ?? '';
  const now = await ledger.now();
  const statuses = isNames(hosts)
    ? await Promise.all(
        named(agents, hosts).map((agent) => lookAtHost(edges, environment, wantedVersion, agent, now)),
      )
    : [];
  const queue = queueOf({ unfinished, lock, ended: ended.slice(0, MEASURED), now });
  const left = leftBehind(ended);
  const marked = statuses.map((status) => markStale(status, left, environment));
  return { ...pair, wantedVersion, hosts: marked, unfinished, lock, layout: environment.layout, queue };
}

function named(agents: readonly AgentRow[], hosts: readonly string[]): readonly AgentRow[] {
  return hosts.flatMap((host) => agents.filter((agent) => agent.name === host));
}

async function lookAtHost(
  edges: Edges,
  environment: Environment,
  wantedVersion: string,
  agent: AgentRow,
  now: Date,
): Promise<HostStatus> {
  const base: HostStatus = {
    host: agent.name,
    status: 'unknown',
    liveVersion: recordedLive(agent, environment),
    health: '',
    unitState: '',
    drift: [],
    lastSeenAt: agent.lastSeenAt ?? undefined,
    reason: undefined,
    activatedAt: undefined,
    unitStartedAt: undefined,
    provenGood: false,
    kept: [],
    timers: [],
    changedFiles: [],
  };
  if (!isHere(agent, now)) return { ...base, status: 'away', reason: awayReason(agent) };
  try {
    const question = { target: targetOf(environment), health: healthOf(environment, wantedVersion) };
    const answer = await askAgent(edges, agent.name, { $case: 'inspect', value: question }, INSPECT_MS);
    return answer.$case === 'inspection' ? seen(base, answer.value, wantedVersion) : base;
  } catch (error) {
    if (!(error instanceof FraisierError)) throw error;
    return { ...base, reason: error.reason };
  }
}

function seen(base: HostStatus, inspection: Inspection, wantedVersion: string): HostStatus {
  const { release, health, healthAnswer, unitState, drift } = inspection;
  const { activatedAt, unitStartedAt, provenGood, kept, timers, changedFiles } = inspection;
  const facts = {
    ...base,
    ...{ health, unitState, drift, activatedAt, unitStartedAt, provenGood, kept, timers, changedFiles },
    liveVersion: release,
  };
  return {
    ...facts,
    status: judge(inspection, wantedVersion),
    reason: unhealthyReason(health, healthAnswer),
  };
}

/** One word for a host; the worst thing seen wins. */
function judge({ release, health, unitState, drift }: Inspection, wantedVersion: string): string {
  if (release === '' && wantedVersion === '') return 'unknown';
  if (health === 'unhealthy' || unitState === 'failed') return 'unhealthy';
  if (drift.length > 0) return 'drifted';
  return release === wantedVersion ? 'live' : 'stale';
}

function unhealthyReason(health: string, answer: string): Reason | undefined {
  if (health !== 'unhealthy') return undefined;
  return {
    code: 'health_check_failed',
    message: `the health check answers ${answer}`,
    hint: '',
    facts: { answer },
  };
}

function awayReason(agent: AgentRow): Reason {
  const since = agent.leaseExpiresAt?.toISOString() ?? '';
  const message = since === '' ? 'the agent has never connected' : `the agent has been away since ${since}`;
  return {
    code: 'agent_away',
    message,
    hint: `systemctl status fraisier-agent (on ${agent.name})`,
    facts: { since },
  };
}

function recordedLive(agent: AgentRow, { fraise, name }: Environment): string {
  return agent.live.find((live) => live.fraise === fraise && live.environment === name)?.release ?? '';
}

function healthOf(environment: Environment, commit: string): Health | undefined {
  const { undoTemplate: release } = makePlan({
    environment,
    commit,
    ref: '',
    hosts: [],
    madeAt: new Date(0),
  });
  return release.flatMap((step) => (step.action?.$case === 'health' ? [step.action.value] : []))[0];
}
