import type { Configuration, Rollout } from '../fraises/fraises.js';
import type { AgentRow } from './ledger/agent.js';

/** The zone of each host: the label `zone` of its enrolment or of the file; '' without one. */
export type Zones = ReadonlyMap<string, string>;

/** Labels of a host: those of its enrolment have the last word. */
export function labelsOf(configuration: Configuration, agent: AgentRow): Readonly<Record<string, string>> {
  return { ...configuration.hosts[agent.name]?.labels, ...agent.labels };
}

/** What `Zones` says it is. */
export function zonesOf(configuration: Configuration, agents: readonly AgentRow[]): Zones {
  return new Map(agents.map((agent) => [agent.name, labelsOf(configuration, agent)['zone'] ?? '']));
}

/**
 * The same hosts, zone by zone: first the zones that are named, then the others by their names, then hosts without one. Within
 * a zone the order stays.
 */
export function byZone(names: readonly string[], zones: Zones, order: Rollout['zones']): readonly string[] {
  const zoneOf = (name: string): string => zones.get(name) ?? '';
  const others = [...new Set(names.map(zoneOf))].filter((zone) => zone !== '' && !order.includes(zone));
  const ranks = [...order, ...others.toSorted(), ''];
  return names.toSorted((one, other) => ranks.indexOf(zoneOf(one)) - ranks.indexOf(zoneOf(other)));
}
