import type {
  EnvironmentStatus,
  GetStatusResponse,
  HostStatus,
  QueuedDeployment,
} from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { nextCommand, reasonLine } from './deployment.js';
import { lines, table } from './table.js';
import { lockWords } from './locks.js';
import { ago, instant, orDash, short, span, status } from './words.js';

/** What runs where, as the agents see it now, one block per environment. */
export function statusBlocks({ environments }: GetStatusResponse, look: Look): string {
  if (environments.length === 0) return lines(['nothing is configured', 'next: fraisier apply fraises.yaml']);
  return environments.map((environment) => block(environment, look)).join('\n');
}

function block(environment: EnvironmentStatus, look: Look): string {
  const inPlace = environment.layout === 'in_place' ? '  (in place)' : '';
  const head = `${look.ink.bold(`${environment.fraise} → ${environment.environment}`)}  wanted ${short(environment.wantedVersion)}${inPlace}`;
  const locked = environment.lock === undefined ? [] : [`  ${look.ink.yellow(lockWords(environment.lock))}`];
  const more = environment.hosts.flatMap(hostLines);
  return (
    lines([head, ...locked]) +
    hosts(environment.hosts, look) +
    lines(more.map((line) => `  ${line}`)) +
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

/** What can be gone back to without the network, and when the timers run next. */
function hostLines({ host, kept, timers, liveVersion }: HostStatus): string[] {
  const others = kept.filter(({ commit }) => commit !== liveVersion);
  const named = others.map(({ commit, provenGood }) =>
    provenGood ? short(commit) : `${short(commit)} (not proven good)`,
  );
  const next = timers.map(({ timer, state, nextAt }) => `${timer} ${state}, next ${instant(nextAt)}`);
  return [
    ...(named.length === 0 ? [] : [`${host} also keeps ${named.join(', ')}`]),
    ...next.map((words) => `${host}: ${words}`),
  ];
}

function deployments({ unfinished, last, queue }: EnvironmentStatus, look: Look): string[] {
  const open = unfinished.map((deployment) => {
    const why = deployment.reason === undefined ? '' : `: ${deployment.reason.message}`;
    const place = placeWords(queue.find(({ deploymentId }) => deploymentId === deployment.id));
    return `${status(deployment.status, look)}  ${deployment.id} ${short(deployment.commit)}${place}${why}  (next: ${nextCommand(deployment)})`;
  });
  if (last === undefined) return open;
  return [
    ...open,
    `last: ${status(last.status, look)}  ${last.id} ${short(last.commit)}, ${ago(last.finishedAt, look.now)}`,
  ];
}

/** Where it stands in the queue, and how long it will wait as far as the past tells. */
export function placeWords(queued: QueuedDeployment | undefined): string {
  if (queued === undefined) return '';
  const { position, expectedWaitMs } = queued;
  const wait = expectedWaitMs === undefined ? '' : `, starts in about ${span(expectedWaitMs)}`;
  return `, ${position} in the queue${wait}`;
}
