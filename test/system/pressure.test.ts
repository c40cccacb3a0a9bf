import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { expect } from 'chai';
import pg from 'pg';
import type { LogLine, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { sampleConfiguration } from '../support/sample-service.js';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';
import { ended, push, SECRET } from './deploying.js';
import { expectParts, PART_BYTES, printPart } from './loud-output.js';

/** More than a controller has connections to its database. */
const LOUD = Array.from({ length: 12 }, (_, at) => `loud-${at + 1}`);
const QUIET = ['quiet-1', 'quiet-2'];
/** Together they leave 96 MB unread, each of them all 12 MB that were printed. */
const FOLLOWERS = 8;
const MOST_BYTES_MORE = 48 * 1024 * 1024;

describe('back-pressure', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let crowd: Crowd;
  let database: pg.Client;
  let goOn = (): void => undefined;
  let stop: AbortController;

  before(async () => {
    cluster = await startCluster({
      ...{ agents: [], onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } },
    });
    database = new pg.Client({ connectionString: cluster.databaseUrl });
    await database.connect();
    crowd = await Crowd.gather(cluster, [...LOUD, ...QUIET]);
    await cluster.apply(sampleConfiguration(fraise('loud', LOUD), fraise('quiet', QUIET)));
  });

  after(async () => {
    await crowd?.leave();
    await database?.end();
    await cluster?.stop();
  });

  beforeEach(() => {
    stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    crowd.command = async (host, context) => {
      if (!LOUD.includes(host) || context.step.name !== 'install') return;
      await printPart(host, 0, context);
      await mayGoOn;
      await printPart(host, 1, context);
    };
  });

  afterEach(() => {
    goOn();
    stop.abort();
  });

  it('watchers that do not read slow nobody, and nothing is kept for them; when they read on, nothing is missing', async () => {
    const before = await memoryOf(cluster);
    const loud = await deploy('loud');
    const followers = Array.from({ length: FOLLOWERS }, () => logsOf(loud, true));
    const watcher = eventsOf(loud);
    const [firstLine] = await Promise.all(followers.map(firstOf));
    await firstOf(watcher);
    await firstPartIsStored(loud);
    await expectDeployed('quiet');
    goOn();
    expect((await ended(cluster, loud)).status).to.equal('succeeded');
    expect((await memoryOf(cluster)) - before, 'bytes more').to.be.below(MOST_BYTES_MORE);
    const [slow] = followers as [AsyncGenerator<LogLine>];
    await expectParts(LOUD, [0, 1], slow, [firstLine as LogLine]);
    expect(await numbersOf(watcher)).to.deep.equal(await numbersOf(eventsOf(loud)));
  });

  function deploy(name: string): Promise<string> {
    return push(cluster, repositoryOf(name), randomBytes(20).toString('hex'));
  }

  async function expectDeployed(name: string): Promise<void> {
    const { status, reason } = await ended(cluster, await deploy(name));
    expect(status, JSON.stringify(reason)).to.equal('succeeded');
  }

  const logsOf = (id: string, follow: boolean) =>
    cluster.control.stream('logs', { deploymentId: id, host: '', step: '', follow }, stop.signal);

  const eventsOf = (id: string) =>
    cluster.control.stream('watch', { deploymentId: id, after: 0 }, stop.signal);

  const count = async (sql: string): Promise<number> => (await database.query(sql)).rows.length;

  async function firstPartIsStored(id: string): Promise<void> {
    const wanted = LOUD.length * PART_BYTES;
    const sql = `select from tb_run_log where deployment_id = '${id}' having sum(length(data)) >= ${wanted}`;
    await until('the first part to be stored', async () => (await count(sql)) === 1);
  }
});

/** Reads one message; no more is asked for before somebody reads on. */
async function firstOf<T>(stream: AsyncGenerator<T>): Promise<T> {
  const { value } = await stream.next();
  return value as T;
}

/** Of what hosts reported. */
async function numbersOf(stream: AsyncIterable<WatchEvent>): Promise<readonly number[]> {
  const numbers: number[] = [];
  for await (const { number, event } of stream) if (event?.$case === 'host') numbers.push(number);
  return numbers;
}

/** What the controller holds and has not given back: its heap and all that is kept outside of it. */
async function memoryOf({ http }: Cluster): Promise<number> {
  const page = await (await fetch(`${http}/metrics`)).text();
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
  return of('nodejs_heap_size_used_bytes') + of('nodejs_external_memory_bytes');
}

function repositoryOf(name: string): string {
  return `https://github.com/acme/${name}.git`;
}

function fraise(name: string, hosts: readonly string[]): string {
  return `  ${name}:
    type: api
    repository: ${repositoryOf(name)}
    environments:
      production:
        branch: main
        hosts: ${JSON.stringify(hosts)}
        app_path: /srv/${name}
        install: { command: ["true"] }
        restart: { command: ["true"] }
        rollout: { strategy: all_at_once }
`;
}
