import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { expect } from 'chai';
import pg from 'pg';
import {
  RequestDeploymentRequest,
  type LogLine,
  type WatchEvent,
} from '../../proto/gen/fraisier/v1/control.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { sampleConfiguration } from '../support/sample-service.js';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';
import { ended, push, SECRET } from './deploying.js';
import { holdRow } from './hold-row.js';
import { expectBothParts, NOTE_BYTES, NOTES, printPart } from './loud-output.js';

/** More than a controller has connections to its database. */
const LOUD = Array.from({ length: 12 }, (_, at) => `loud-${at + 1}`);
const QUIET = ['quiet-1', 'quiet-2'];
const KB = 1024;
/** Together they leave 72 MB unread, each of them all 12 MB that are printed. */
const [FOLLOWERS, MUCH_BYTES] = [6, 512 * KB];
const MOST_BYTES_MORE = 48 * KB * KB;
/** More than an agent sends without being told that it was recorded. */
const MORE_THAN_SENT_BYTES = 320 * KB;

describe('back-pressure', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let crowd: Crowd;
  let database: pg.Client;
  let partBytes: number;
  let goOn = (): void => undefined;
  let stop: AbortController;
  let letGo: () => Promise<void>;

  before(async () => {
    cluster = await startCluster({
      ...{ agents: [], onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } },
      // Nobody gives up by himself: who waits for a row does so until the test lets it go.
      databaseOptions: '-c lock_timeout=0 -c statement_timeout=0',
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
    letGo = () => Promise.resolve();
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    crowd.command = async (host, context) => {
      if (!LOUD.includes(host) || context.step.name !== 'install') return;
      await printPart(host, 0, partBytes, context);
      await mayGoOn;
      await printPart(host, 1, partBytes, context);
    };
  });

  afterEach(async () => {
    goOn();
    stop.abort();
    await letGo();
  });

  it('watchers that do not read slow nobody, and nothing is kept for them; when they read on, nothing is missing', async () => {
    partBytes = MUCH_BYTES;
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
    await expectBothParts(LOUD, partBytes, slow, [firstLine as LogLine]);
    expect(await numbersOf(watcher)).to.deep.equal(await numbersOf(eventsOf(loud)));
  });

  it('a deployment whose row is held slows no other, though its hosts report and connect anew; all is then recorded once', async () => {
    partBytes = MORE_THAN_SENT_BYTES;
    const loud = await deploy('loud');
    await firstPartIsStored(loud);
    letGo = await holdRow(cluster, loud);
    goOn();
    await until('reports to wait', async () => (await count(WAITING)) > 0);
    await expectDeployed('quiet');
    await expectAnswers();
    crowd.cut(LOUD);
    await until(
      'all to be back',
      async () => (await count('select from tb_agent where epoch > 1')) === LOUD.length,
    );
    await expectDeployed('quiet');
    await letGo();
    expect((await ended(cluster, loud)).status).to.equal('succeeded');
    await expectBothParts(LOUD, partBytes, logsOf(loud, false));
  });

  const WAITING = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

  function deploy(name: string): Promise<string> {
    return push(cluster, repositoryOf(name), randomBytes(20).toString('hex'));
  }

  async function expectDeployed(name: string): Promise<void> {
    const { status, reason } = await ended(cluster, await deploy(name));
    expect(status, JSON.stringify(reason)).to.equal('succeeded');
  }

  /** Hosts look at themselves, and say what a deployment would change. */
  async function expectAnswers(): Promise<void> {
    const { environments } = await cluster.control.ask('getStatus', { fraise: 'quiet', environment: '' });
    const answered = environments.flatMap(({ hosts }) => hosts.filter(({ health }) => health === 'ok'));
    expect(answered.map(({ host }) => host)).to.have.members(QUIET);
    const dryRun = RequestDeploymentRequest.fromPartial({ fraise: 'quiet', environment: 'production' });
    const { hosts } = await cluster.control.ask('previewDeployment', dryRun);
    expect(hosts.map(({ host, problem }) => [host, problem])).to.deep.equal(
      QUIET.map((host) => [host, undefined]),
    );
  }

  const logsOf = (id: string, follow: boolean) =>
    cluster.control.stream('logs', { deploymentId: id, host: '', step: '', follow }, stop.signal);

  const eventsOf = (id: string) =>
    cluster.control.stream('watch', { deploymentId: id, after: 0 }, stop.signal);

  const count = async (sql: string): Promise<number> => (await database.query(sql)).rows.length;

  async function firstPartIsStored(id: string): Promise<void> {
    const output = `select from tb_run_log where deployment_id = '${id}' having sum(length(data)) >= ${LOUD.length * partBytes}`;
    const notes = `select from tb_run_event where deployment_id = '${id}' and length(content) > ${NOTE_BYTES}`;
    const isStored = async () => (await count(output)) === 1 && (await count(notes)) === LOUD.length * NOTES;
    await until('the first part to be stored', isStored);
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
