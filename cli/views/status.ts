import type {
  EnvironmentStatus,
  GetStatusResponse,
  HostStatus,
} from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { nextCommand, reasonLine } from './deployment.js';
import { lines, table } from './table.js';
import { ago, orDash, short, status } from './words.js';

/** What runs where, as the agents see it now, one block per environment. */
export function statusBlocks({ environments }: GetStatusResponse, look: Look): string {
  if (environments.length === 0) return lines(['nothing is configured', 'next: fraisier apply fraises.yaml']);
  return environments.map((environment) => block(environment, look)).join('\n');
}

function block(environment: EnvironmentStatus, look: Look): string {
  const head = `${look.ink.bold(`${environment.fraise} → ${environment.environment}`)}  wanted ${short(environment.wantedVersion)}`;
  return (
    lines([head]) +
    hosts(environment.hosts, look) +
    lines(deployments(environment, look).map((line) => `  ${line}`))
  );
}

function hosts(all: readonly HostStatus[], look: Look): string {
  if (all.length === 0) return lines(['  no hosts']);
  const rows = all.map((host) => [
    `  ${host.host}`,
    status(host.status, look),
    short(host.liveVersion),
    orDash(host.health),
    orDash(host.unitState),
    ago(host.lastSeenAt, look.now),
    [reasonLine(host.reason), ...host.drift].filter(Boolean).join(' · '),
  ]);
  return table(['  host', 'is', 'version', 'health', 'unit', 'seen', 'note'], rows, look);
}

function deployments({ unfinished, last }: EnvironmentStatus, look: Look): string[] {
  const open = unfinished.map((deployment) => {
    const why = deployment.reason === undefined ? '' : `: ${deployment.reason.message}`;
    return `${status(deployment.status, look)}  ${deployment.id} ${short(deployment.commit)}${why}  (next: ${nextCommand(deployment)})`;
  });
  if (last === undefined) return open;
  return [
    ...open,
    `last: ${status(last.status, look)}  ${last.id} ${short(last.commit)}, ${ago(last.finishedAt, look.now)}`,
  ];
}
