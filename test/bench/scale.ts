import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withCluster, type Cluster } from '../support/cluster.js';
import { plainEnvironment } from '../support/fraisier-program.js';
import { Program } from '../support/program.js';
import { sampleConfiguration } from '../support/sample-service.js';
import { until } from '../support/until.js';
import { INSTALL_LINES } from './agent-without-commands.js';
import { SECRET } from './bench-fleet.js';
import { figure, type Figure } from './figures.js';
import type { ManyAgents } from './many-agents.js';
import { cpuMsOf, residentMegabytes } from './memory.js';
import { deployByPush } from './push.js';

const IDLE = 1000;
const DEPLOYING = 100;
/** A process holds so many of them. */
const TOGETHER = 125;
const PATIENCE_MS = 600_000;
const REPOSITORY = 'https://github.com/acme/scale.git';

/**
 * One controller with many agents of the real protocol and journal that run no commands: what each connected one costs it, and
 * how long a deployment on a hundred of them takes, all at once, with their output.
 */
export async function scale(): Promise<readonly Figure[]> {
  return withCluster({ agents: [], environment: { GITHUB_WEBHOOK_SECRET: SECRET } }, async (cluster) => {
    await cluster.apply(configuration());
    const aloneMb = await residentMegabytes(cluster.controller.pid);
    const crowds = await connect(cluster, IDLE);
    try {
      const idleMb = await residentMegabytes(cluster.controller.pid);
      const cpuMs = await cpuOf(cluster, 30_000);
      const took = await deployOnAll(cluster);
      const afterMb = await residentMegabytes(cluster.controller.pid);
      const lines = DEPLOYING * INSTALL_LINES;
      return [
        figure(`memory of the controller, ${IDLE} idle agents`, idleMb, 'MB', {
          what: 'none',
          value: aloneMb,
        }),
        figure('  for each of them', ((idleMb - aloneMb) * 1000) / IDLE, 'kB'),
        figure(`CPU of the controller for ${IDLE} idle agents, each second`, cpuMs, 'ms'),
        figure(`deployment on ${DEPLOYING} agents at once that only print`, took, 'ms'),
        figure('  lines of output stored meanwhile', lines / (took / 1000), '1/s'),
        figure('  memory of the controller after it', afterMb, 'MB', { what: 'before', value: idleMb }),
      ];
    } finally {
      await Promise.all(crowds.map((crowd) => crowd.stop()));
    }
  });
}

function nameOf(at: number): string {
  return `web-${at + 1}`;
}

function configuration(): string {
  const hosts = Array.from({ length: DEPLOYING }, (_, at) => nameOf(at));
  return sampleConfiguration(`  scale:
    type: api
    repository: ${REPOSITORY}
    environments:
      production:
        branch: main
        hosts: ${JSON.stringify(hosts)}
        app_path: /srv/scale
        install: { command: ["true"] }
        restart: { command: ["true"] }
        rollout: { strategy: all_at_once }
`);
}

/** Enrols and connects so many agents; returns their processes. */
async function connect(cluster: Cluster, count: number): Promise<readonly Program[]> {
  const crowds: Program[] = [];
  for (let first = 0; first < count; first += TOGETHER) {
    const names = Array.from({ length: Math.min(TOGETHER, count - first) }, (_, at) => nameOf(first + at));
    const tokens = await Promise.all(
      names.map((name) => cluster.control.ask('createJoinToken', { name, labels: {}, ttlMs: 0 })),
    );
    const crowd = await launch(cluster, first, {
      controller: cluster.grpc,
      folder: join(cluster.folder, 'agents'),
      agents: names.map((name, at) => ({ name, token: tokens[at]?.token ?? '' })),
    });
    crowds.push(crowd);
    await until(
      `${first + names.length} agents to be connected`,
      async () => {
        const { agents } = await cluster.control.ask('listAgents', {});
        return agents.filter(({ status }) => status === 'connected').length === first + names.length;
      },
      { timeoutMs: PATIENCE_MS, everyMs: 500 },
    );
  }
  return crowds;
}

async function launch(cluster: Cluster, first: number, many: ManyAgents): Promise<Program> {
  const file = join(cluster.folder, `agents-${first}.json`);
  await writeFile(file, JSON.stringify(many), { mode: 0o600 });
  const program = new Program({
    name: `agents from ${first} on`,
    argv: [process.execPath, fileURLToPath(new URL('many-agents.js', import.meta.url)), file],
    environment: plainEnvironment(),
    cwd: cluster.folder,
    logFile: join(cluster.folder, 'agents.log'),
    ready: () => Promise.resolve(),
  });
  program.launch();
  return program;
}

/** Of one CPU, in each second. */
async function cpuOf({ controller }: Cluster, forMs: number): Promise<number> {
  const before = await cpuMsOf(controller.pid);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  return ((await cpuMsOf(controller.pid)) - before) / (forMs / 1000);
}

async function deployOnAll(cluster: Cluster): Promise<number> {
  const commit = randomBytes(20).toString('hex');
  const { tookMs } = await deployByPush({ cluster }, { repository: REPOSITORY }, commit, PATIENCE_MS);
  return tookMs;
}
