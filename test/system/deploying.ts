import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { toJson } from '../../cli/json.js';
import type { Cluster } from '../support/cluster.js';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { signedPush } from '../support/github.js';
import { until } from '../support/until.js';

export const SECRET = 'a-webhook-secret-for-system-tests';

/** A deployment as `fraisier show --json` prints it; the parts that tests look at. */
export interface Shown {
  readonly id: string;
  readonly status: string;
  readonly commit: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly old_version: string | null;
  readonly reason: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  readonly hosts: readonly {
    readonly host: string;
    readonly status: string;
    readonly new_version: string | null;
    readonly steps: readonly {
      readonly phase: string;
      readonly name: string;
      readonly status: string;
      readonly attempts: number;
    }[];
  }[];
}

const OPEN = ['queued', 'running', 'rolling_back'];

/** Sends the signed push of a commit to `main` and returns the deployment it started. */
export async function push(cluster: Cluster, repository: string, commit: string): Promise<string> {
  const { headers, body } = signedPush({ repository, branch: 'main', commit, secret: SECRET });
  const answer = await fetch(`${cluster.http}/webhook`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  });
  const said = (await answer.json()) as { deployments?: string[] };
  const [id] = said.deployments ?? [];
  if (answer.status !== 202 || id === undefined)
    throw new Error(`not accepted: ${answer.status} ${JSON.stringify(said)}`);
  return id;
}

/** Until the deployment has ended, or pauses. What `fraisier show --json` would print then, without starting a program. */
export async function ended(cluster: Cluster, id: string, timeoutMs = 60_000): Promise<Shown> {
  const over = async () => {
    const deployment = await cluster.control.ask('getDeployment', { id });
    return !OPEN.includes(deployment.status) && deployment;
  };
  return toJson(await until(`${id} to end`, over, { everyMs: 150, timeoutMs })) as unknown as Shown;
}

/** One line per step: `prepare fetch succeeded 1`. */
export function steps(shown: Shown): string[] {
  return shown.hosts.flatMap((host) =>
    host.steps.map((step) => `${step.phase} ${step.name} ${step.status} ${step.attempts}`),
  );
}

interface WatchedEvent {
  readonly event: string;
  readonly phase?: string;
  readonly step?: string;
}

/** Watches until an event matches, then calls `act` at once. Ends the watching itself. */
export async function atEvent(
  cluster: Cluster,
  id: string,
  match: (event: WatchedEvent) => boolean,
  act: () => Promise<void>,
): Promise<void> {
  const environment = { ...plainEnvironment(), FRAISIER_CONTROLLER: cluster.socket };
  const child = spawn(process.execPath, [FRAISIER, 'watch', id, '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!match(JSON.parse(line) as WatchedEvent)) continue;
      await act();
      return;
    }
    throw new Error(`${id} ended before the event came`);
  } finally {
    child.kill('SIGKILL');
  }
}
