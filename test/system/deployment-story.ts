import type { Cluster } from '../support/cluster.js';
import { LINES_EACH, STEPS } from './gated-service.js';
import { nameOfEvent, nameOfPhase } from './message-names.js';

export const PHASES = [...new Set(STEPS.map(([phase]) => phase))];

/** All that is recorded of a deployment of the gated service to one host, in its order, but for notes. */
export const STORY = PHASES.flatMap((phase) => [
  `${phase} has started`,
  ...STEPS.filter(([of]) => of === phase).flatMap(([, step]) =>
    ['started', 'finished'].map((moment) => `${phase} ${step} has ${moment}`),
  ),
  `${phase} has finished`,
]);

/** What its install prints. */
export const OUTPUT = ['before', 'after']
  .flatMap((word) => Array.from({ length: LINES_EACH }, (_, index) => `${word} ${index + 1}\n`))
  .join('');

/** What is recorded, in the words of STORY. */
export async function recorded(cluster: Cluster, deploymentId: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { event } of cluster.control.stream('watch', { deploymentId, after: 0 }, never())) {
    if (event?.$case !== 'host' || event.value.event?.event?.$case === 'stepNote') continue;
    const { phase, event: ofRun } = event.value;
    if (ofRun !== undefined) names.push(nameOfEvent(nameOfPhase(phase), ofRun));
  }
  return names;
}

/** What is recorded of the output of install. */
export async function recordedOutput(cluster: Cluster, deploymentId: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const request = { deploymentId, host: '', step: 'install', follow: false };
  for await (const { data } of cluster.control.stream('logs', request, never())) parts.push(data);
  return Buffer.concat(parts).toString();
}

/** What `fraisier watch --json` printed, in the words of STORY. */
export function watched(stdout: string): string[] {
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Watched);
  return events.flatMap(({ event, phase, step }) => {
    const moment = /^(?:run|step)_(started|finished)$/.exec(event)?.[1];
    return moment === undefined ? [] : [`${[phase, step].filter(Boolean).join(' ')} has ${moment}`];
  });
}

interface Watched {
  readonly event: string;
  readonly phase?: string;
  readonly step?: string;
}

function never(): AbortSignal {
  return new AbortController().signal;
}
