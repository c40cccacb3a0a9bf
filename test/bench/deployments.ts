import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { withCluster, type Cluster } from '../support/cluster.js';
import { signedPush } from '../support/github.js';
import { sampleConfiguration, sampleService, type SampleService } from '../support/sample-service.js';
import { bareSteps } from './bare-steps.js';
import { figure, percentile, type Figure } from './figures.js';

const SECRET = 'a secret of the bench';
const ROUNDS = 5;
const LOG_LINES = 50_000;

/** Whole deployments on `hosts` agents beside a plain script that does the same steps; the way of a push; output; memory. */
export async function deployments(hosts: number): Promise<readonly Figure[]> {
  const names = Array.from({ length: hosts }, (_, at) => `web-${at + 1}`);
  const options = { agents: names, separateHosts: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } };
  return withCluster(options, async (cluster) => {
    const service = await sampleService(cluster.folder, cluster.apps);
    return withHealth(async (health) => {
      await cluster.apply(sampleConfiguration(fraise(service, names, health, '[sh, install.sh]')));
      const rounds = await deployInTurns(cluster, service, names, health);
      const on = `on ${hosts} host${hosts === 1 ? '' : 's'}`;
      const whole = figure(
        `deployment ${on}`,
        percentile(
          rounds.map((round) => round.deployMs),
          50,
        ),
        'ms',
        {
          what: 'the bare steps',
          value: percentile(
            rounds.map((round) => round.bareMs),
            50,
          ),
        },
      );
      const first = figure(
        `push accepted to first step ${on}`,
        percentile(
          rounds.map((round) => round.firstStepMs),
          50,
        ),
        'ms',
      );
      if (hosts > 1) return [whole, first];
      return [whole, first, await logRate(cluster, service, names, health), ...(await memory(cluster))];
    });
  });
}

interface Round {
  readonly deployMs: number;
  readonly firstStepMs: number;
  readonly bareMs: number;
}

async function deployInTurns(
  cluster: Cluster,
  service: SampleService,
  names: readonly string[],
  health: string,
): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const commit = await service.commit(`Round ${round}`);
    const bareMs = await bareSteps({
      folder: cluster.folder,
      repository: service.repository,
      commit,
      hosts: names,
      health,
    });
    rounds.push({ bareMs, ...(await pushAndWait(cluster, service, commit)) });
  }
  return rounds.slice(1);
}

async function pushAndWait(
  cluster: Cluster,
  service: SampleService,
  commit: string,
): Promise<Omit<Round, 'bareMs'>> {
  const push = signedPush({
    repository: service.repository,
    branch: 'main',
    commit,
    secret: SECRET,
    deliveryId: randomUUID(),
  });
  const answer = await fetch(`${cluster.http}/webhook`, {
    method: 'POST',
    headers: push.headers,
    body: new Uint8Array(push.body),
  });
  const acceptedAt = Date.now();
  const { deployments: [id = ''] = [] } = (await answer.json()) as { deployments?: readonly string[] };
  const events = (await cluster.must(['watch', id, '--json'], { timeoutMs: 300_000 })).trim().split('\n');
  const parsed = events.map((line) => JSON.parse(line) as { event: string; at: string });
  const firstStep = parsed.find(({ event }) => event === 'step_started');
  const { created_at, finished_at } = await cluster.json<{ created_at: string; finished_at: string }>([
    'show',
    id,
  ]);
  return {
    deployMs: Date.parse(finished_at) - Date.parse(created_at),
    firstStepMs: Math.max(0, Date.parse(firstStep?.at ?? '') - acceptedAt),
  };
}

/** Lines a second from a chatty step, through journal, stream and database, to a command line that follows. */
async function logRate(
  cluster: Cluster,
  service: SampleService,
  names: readonly string[],
  health: string,
): Promise<Figure> {
  const chatty = `"seq -f 'line %.0f of a build that says much' ${LOG_LINES}"`;
  await cluster.apply(sampleConfiguration(fraise(service, names, health, chatty)));
  const commit = await service.commit('Say much');
  const begun = performance.now();
  const { id } = await cluster.json<{ id: string }>([
    'deploy',
    'hello',
    'production',
    '--commit',
    commit,
    '--no-wait',
  ]);
  const output = await cluster.must(['logs', id, '--follow'], { timeoutMs: 300_000 });
  const lines = output.split('\n').filter((line) => line.includes('of a build that says much')).length;
  if (lines !== LOG_LINES) throw new Error(`${LOG_LINES} lines were printed, ${lines} arrived`);
  return figure(
    `log lines, stored and followed (whole deployment)`,
    lines / ((performance.now() - begun) / 1000),
    '1/s',
  );
}

async function memory(cluster: Cluster): Promise<readonly Figure[]> {
  return [
    figure('memory of the controller, after all this', await residentMegabytes(cluster.controller.pid), 'MB'),
    figure('memory of an agent, after all this', await residentMegabytes(cluster.agent('web-1').pid), 'MB'),
  ];
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Something healthy that every host can ask: all of them share this machine's loopback. */
async function withHealth<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_request, response) => response.end('{"status":"ok"}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function fraise(service: SampleService, hosts: readonly string[], health: string, install: string): string {
  return `  hello:
    type: api
    repository: ${JSON.stringify(service.repository)}
    environments:
      production:
        branch: main
        hosts: ${JSON.stringify(hosts)}
        app_path: ${JSON.stringify(service.appPath)}
        install: { command: ${install} }
        restart: { command: ["true"] }
        health_check: { url: ${health}, delay: 100ms }
        rollout: { strategy: all_at_once }
`;
}
