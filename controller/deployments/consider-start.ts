import type { DeploymentPlan, Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import type { AgentRow, DeploymentRow, LockRow } from './ledger.js';
import { lockedBy } from './locked.js';
import { makePlan } from './plan.js';
import { inOrder } from './queue.js';
import { cancelledBy, reason } from './reason.js';

export type StartDecision =
  | { readonly start: DeploymentPlan }
  | { readonly end: 'failed' | 'cancelled'; readonly reason: Reason }
  | { readonly wait: Reason; readonly until: Date | null };

export interface Queue {
  /** Every unfinished deployment of this fraise × environment, oldest first, this one among them. */
  readonly unfinished: readonly DeploymentRow[];
  /** In force on this fraise × environment. */
  readonly lock: LockRow | null;
  readonly agents: readonly AgentRow[];
  readonly configuration: Configuration;
  readonly environment: Environment;
  readonly now: Date;
}

/** Whether a queued deployment starts now, with the plan it is then frozen to, or why it waits. Pure. */
export function considerStart(deployment: DeploymentRow, queue: Queue): StartDecision {
  if (deployment.cancelRequestedBy !== null)
    return { end: 'cancelled', reason: cancelledBy(deployment.cancelRequestedBy) };
  // Whoever rolls back needs it now; what is locked stays so for everything else.
  if (queue.lock !== null && deployment.kind !== 'rollback')
    return { wait: lockedBy(queue.lock), until: queue.lock.expiresAt };
  const before = ahead(deployment, queue.unfinished);
  if (before !== null) return { wait: waitingFor(before), until: null };
  const hosts = selectHosts(queue, deployment.onlyHosts);
  if (!isNames(hosts)) return { end: 'failed', reason: hosts };
  const away = awayHosts(hosts, queue.agents, queue.now);
  if (away !== null) return { wait: away, until: null };
  return { start: planFor(deployment, queue, hosts) };
}

function planFor(deployment: DeploymentRow, queue: Queue, hosts: readonly string[]): DeploymentPlan {
  const { commit, ref, rollback, kind, force } = deployment;
  const { environment, now: madeAt } = queue;
  const settle = kind === 'deploy' && !force;
  return makePlan({ environment, commit, ref, hosts, madeAt, rollback, force, settle });
}

function ahead(deployment: DeploymentRow, unfinished: readonly DeploymentRow[]): DeploymentRow | null {
  const [first] = inOrder(unfinished);
  return first === undefined || first.id === deployment.id ? null : first;
}

function waitingFor(other: DeploymentRow): Reason {
  return reason('deployment_running', `waits for ${other.id}, which is ${other.status}`, {
    hint: `fraisier watch ${other.id}`,
    facts: { deployment: other.id, status: other.status },
  });
}

/** The names of the hosts of an environment, in the order of release, or why there are none. */
export function selectHosts(
  { environment, configuration, agents }: Pick<Queue, 'environment' | 'configuration' | 'agents'>,
  only: readonly string[],
): readonly string[] | Reason {
  const usable = agents.filter((agent) => agent.revokedAt === null);
  const names = namesOf(environment, configuration, usable);
  if (!isNames(names)) return names;
  const unknown = names.find((name) => !usable.some((agent) => agent.name === name));
  if (unknown !== undefined) {
    return reason(
      'unknown_host',
      `${unknown} is named in ${environment.fraise} ${environment.name} but has never enrolled`,
      {
        hint: `fraisier agents token --name ${unknown}`,
        facts: { host: unknown },
      },
    );
  }
  const foreign = only.find((name) => !names.includes(name));
  if (foreign !== undefined) {
    return reason(
      'unknown_host',
      `${foreign} is not a host of ${environment.fraise} ${environment.name}: ${names.join(', ')}`,
      {
        facts: { host: foreign },
      },
    );
  }
  const chosen = only.length === 0 ? names : names.filter((name) => only.includes(name));
  return withoutMigrating(environment, chosen) ?? chosen;
}

/** The host that migrates prepares the release as every other: it cannot be left out. */
function withoutMigrating({ fraise, name, database }: Environment, chosen: readonly string[]): Reason | null {
  const on = database === null || database.strategy === 'none' ? null : database.on;
  if (on === null || chosen.includes(on)) return null;
  return reason(
    'unknown_host',
    `${on} runs the migrations of ${fraise} ${name} and is not among ${chosen.join(', ')}`,
    {
      hint: `fraisier deploy ${fraise} ${name} --hosts ${[on, ...chosen].join(',')}`,
      facts: { host: on },
    },
  );
}

function namesOf(
  environment: Environment,
  configuration: Configuration,
  agents: readonly AgentRow[],
): readonly string[] | Reason {
  const { hosts } = environment;
  switch (hosts.by) {
    case 'name':
      return [...hosts.names];
    case 'label': {
      const wanted = Object.entries(hosts.labels);
      const found = agents.filter((agent) => {
        const labels = { ...configuration.hosts[agent.name]?.labels, ...agent.labels };
        return wanted.every(([key, value]) => labels[key] === value);
      });
      return found.length > 0
        ? found.map((agent) => agent.name).sort()
        : noHosts(environment, wanted.map((pair) => pair.join('=')).join(', '));
    }
    case 'any':
      if (agents.length === 1) return agents.map((agent) => agent.name);
      return agents.length === 0 ? noHosts(environment, '') : tooManyHosts(environment, agents);
  }
}

function noHosts({ fraise, name }: Environment, labels: string): Reason {
  const message = labels === '' ? 'no agent has enrolled' : `no enrolled agent has the labels ${labels}`;
  return reason('no_hosts', `${fraise} ${name} has no host: ${message}`, {
    hint: 'fraisier agents token --name HOST',
  });
}

function tooManyHosts({ fraise, name }: Environment, agents: readonly AgentRow[]): Reason {
  const names = agents.map((agent) => agent.name).join(', ');
  return reason(
    'no_hosts',
    `${fraise} ${name} names no hosts and there are several agents (${names}): say which in fraises.yaml`,
    {
      hint: 'fraisier apply',
    },
  );
}

/** Why these hosts cannot be deployed to now, when one of them is away; null when all are here. */
export function awayHosts(hosts: readonly string[], agents: readonly AgentRow[], now: Date): Reason | null {
  const away = agents.filter((agent) => hosts.includes(agent.name) && !isHere(agent, now));
  const [first] = away;
  if (first === undefined) return null;
  const since = first.leaseExpiresAt?.toISOString() ?? first.lastSeenAt?.toISOString() ?? '';
  const said = away.map((agent) => agent.name).join(', ');
  const tail = since === '' ? 'it has never connected' : `away since ${since}`;
  return reason('agent_away', `the agent on ${said} is not connected (${tail})`, {
    hint: `systemctl status fraisier-agent (on ${first.name})`,
    facts: { host: first.name, since },
  });
}

/** Whether the agent's connection lease is valid now, by the ledger's clock. */
export function isHere(agent: AgentRow, now: Date): boolean {
  return agent.revokedAt === null && agent.leaseExpiresAt !== null && agent.leaseExpiresAt > now;
}

/** Tells the names of hosts from the reason why there are none. */
export function isNames(found: readonly string[] | Reason): found is readonly string[] {
  return Array.isArray(found);
}
