import type { Agent, ListAgentsResponse } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { lines, table } from './table.js';
import { ago, instant, orDash, status } from './words.js';

/** The enrolled hosts. */
export function agentTable({ agents }: ListAgentsResponse, look: Look): string {
  if (agents.length === 0) return lines(['no agents', 'next: fraisier agents token --name HOST']);
  const rows = agents.map((agent) => [
    agent.name,
    status(agent.status, look),
    ago(agent.lastSeenAt, look.now),
    orDash(labels(agent)),
    orDash(agent.agentVersion),
    orDash(agent.controller),
    instant(agent.certificateExpiresAt),
  ]);
  return table(['agent', 'is', 'seen', 'labels', 'version', 'controller', 'certificate ends'], rows, look);
}

/** What `agents revoke` did. */
export function agentRevoked(agent: Agent, look: Look): string {
  return lines([
    `${agent.name}  ${status(agent.status, look)}`,
    `next: fraisier agents token --name ${agent.name}  (to let it join again)`,
  ]);
}

function labels(agent: Agent): string {
  return Object.entries(agent.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
