import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import type { Configured } from './configuration.js';
import type { AgentRow } from './ledger/agent.js';
import { reason } from './reason.js';
import { byZone, labelsOf, zonesOf } from './zones.js';

/** What the hosts of an environment are found among. */
export interface Choice extends Configured {
  readonly agents: readonly AgentRow[];
}

/** The names of the hosts of an environment, in the order of release (zone by zone), or why there are none. */
export function selectHosts(
  { environment, configuration, agents }: Choice,
  only: readonly string[],
  { migrates } = { migrates: true },
): readonly string[] | Reason {
  const usable = agents.filter((agent) => agent.revokedAt === null);
  const found = namesOf(environment, configuration, usable);
  if (!isNames(found)) return found;
  const names = byZone(found, zonesOf(configuration, usable), environment.rollout.zones);
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
  return (migrates ? withoutMigrating(environment, chosen) : null) ?? chosen;
}

/** The host that migrates prepares the release as every other: it cannot be left out. */
function withoutMigrating({ fraise, name, database }: Environment, chosen: readonly string[]): Reason | null {
  const on = migratingHostOf(database);
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

function migratingHostOf(database: Environment['database']): string | null {
  return database === null || database.strategy === 'none' ? null : database.on;
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
        const labels = labelsOf(configuration, agent);
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

/**
 * The hosts that are here. All of them when none is, or when the one that migrates is away: then there is no going on without
 * what is away.
 */
export function leaveOut(
  { database }: Environment,
  hosts: readonly string[],
  agents: readonly AgentRow[],
  now: Date,
): readonly string[] {
  const here = hosts.filter((host) => agents.some((agent) => agent.name === host && isHere(agent, now)));
  const on = migratingHostOf(database);
  return here.length === 0 || (on !== null && !here.includes(on)) ? hosts : here;
}

/** Whether the agent's connection lease is valid now, by the ledger's clock. */
export function isHere(agent: AgentRow, now: Date): boolean {
  return agent.revokedAt === null && agent.leaseExpiresAt !== null && agent.leaseExpiresAt > now;
}

/** Tells the names of hosts from the reason why there are none. */
export function isNames(found: readonly string[] | Reason): found is readonly string[] {
  return Array.isArray(found);
}
