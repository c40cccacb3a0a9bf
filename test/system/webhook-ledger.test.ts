import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startEmbedded, type EmbeddedDatabase } from '../../controller/db/embedded.js';
import type { Cluster } from '../support/cluster.js';
import { withCluster } from '../support/cluster.js';
import { signedPush, type SignedDelivery } from '../support/github.js';
import { until } from '../support/until.js';
import { ended, SECRET } from './deploying.js';
import { gatedService } from './gated-service.js';

const ENVIRONMENT = { WEBHOOK_SECRET: SECRET };
const REPOSITORY = 'https://github.com/acme/shop.git';
const GIT = 'git: { provider: github, github: { webhook_secret: "${WEBHOOK_SECRET}" } }';

/** A fraise whose host is not there, so that what is queued stays queued; a branch for each of its environments. */
function waiting(environments: number): string {
  const lines = Array.from(
    { length: environments },
    (_, n) =>
      `      env-${n}: { branch: b-${n}, hosts: [nobody], app_path: /srv/shop-${n}, restart: { command: ["true"] } }\n`,
  );
  return `name: shop\n${GIT}\nfraises:\n  shop:\n    type: api\n    repository: ${REPOSITORY}\n    environments:\n${lines.join('')}`;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly deployments: readonly string[];
}

async function deliver(http: string, { headers, body }: SignedDelivery): Promise<Answer> {
  const signal = AbortSignal.timeout(60_000);
  const answer = await fetch(`${http}/webhook`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
    signal,
  });
  const { deployments = [] } = (await answer.json()) as { deployments?: string[] };
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), deployments };
}

function aPush(branch: string, n = 0, repository = REPOSITORY): SignedDelivery {
  return signedPush({ repository, branch, commit: n.toString(16).padStart(40, 'a'), secret: SECRET });
}

interface Listed {
  readonly id: string;
  readonly status: string;
  readonly environment: string;
  readonly commit: string;
  readonly reason: { readonly code: string; readonly by?: string } | null;
}

async function deployments(cluster: Cluster, fraise = 'shop'): Promise<readonly Listed[]> {
  const found = await cluster.json<{ deployments: Listed[] }>(['history', fraise, '--limit', '500']);
  return found.deployments;
}

/** A PostgreSQL of one's own that can be stopped and started again at the same address. */
async function withServer(
  work: (server: { url: string; stop(): Promise<void>; start(): Promise<void> }) => Promise<void>,
) {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-pg-'));
  await chmod(folder, 0o711);
  const options = { folder: join(folder, 'pg'), settings: { fsync: 'off', max_connections: '200' } };
  let database: EmbeddedDatabase = await startEmbedded(options);
  try {
    await work({
      url: database.url,
      stop: () => database.stop(),
      start: async () => {
        database = await startEmbedded(options);
      },
    });
  } finally {
    await database.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

describe('copies of one delivery (row 11)', function () {
  this.timeout(180_000);

  async function copiesDeployOnce(cluster: Cluster, doors: readonly string[]): Promise<void> {
    for (const [n, copies] of [1, 2, 100].entries()) {
      const push = aPush(`b-${n}`, n);
      const all = Array.from({ length: copies }, (_, copy) =>
        deliver(doors[copy % doors.length] as string, push),
      );
      const statuses = (await Promise.all(all)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 202)).to.have.lengthOf(1);
      expect(statuses.filter((status) => status === 200)).to.have.lengthOf(copies - 1);
      const queued = (await deployments(cluster)).filter((one) => one.environment === `env-${n}`);
      expect(queued, `${copies} copies`).to.have.lengthOf(1);
    }
  }

  it('at the same time over the embedded database make exactly one deployment', () =>
    withCluster(
      { agents: [], environment: ENVIRONMENT, configuration: waiting(3), databaseUrl: '' },
      (cluster) => copiesDeployOnce(cluster, [cluster.http]),
    ));

  it('at the same time at two controllers over one PostgreSQL make exactly one deployment', () =>
    withServer(({ url }) =>
      withCluster(
        { agents: [], environment: ENVIRONMENT, configuration: waiting(3), databaseUrl: url },
        async (cluster) => copiesDeployOnce(cluster, [cluster.http, await cluster.addController()]),
      ),
    ));
});

describe('a hundred pushes while the first is being deployed (row 10)', function () {
  this.timeout(240_000);

  it('run it and the newest; 98 say that they are superseded, and by what; the last commit is live', () =>
    withCluster({ onTestServer: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } }, async (cluster) => {
      const { service, configuration, close, open, entered } = await gatedService(cluster);
      await cluster.apply(configuration);
      // Those in between are never deployed, so no repository needs to have them.
      const between = Array.from({ length: 98 }, (_, n) => n.toString(16).padStart(40, 'b'));
      const commits = [await service.commit('the first'), ...between, await service.commit('the last')];
      const at = (n: number): SignedDelivery =>
        signedPush({
          ...{ repository: service.repository, branch: 'main', secret: SECRET, commit: commits[n] as string },
          pushedAt: new Date(Date.now() - (100 - n) * 1000),
        });
      await close('install');
      const first = await deliver(cluster.http, at(0));
      expect(first.status).to.equal(202);
      await entered('install');
      const rest: Answer[] = [];
      for (let n = 1; n < 99; n += 1) rest.push(await deliver(cluster.http, at(n)));
      const last = await deliver(cluster.http, at(99));
      expect([...rest, last].every(({ status }) => status === 202)).to.equal(true);
      await open('install');
      const end = await ended(cluster, last.deployments[0] as string, 120_000);
      expect(end.status).to.equal('succeeded');
      const all = await deployments(cluster, 'hello');
      expect(all).to.have.lengthOf(100);
      const superseded = all.filter((one) => one.status === 'superseded');
      expect(superseded).to.have.lengthOf(98);
      const ids = new Set(all.map((one) => one.id));
      for (const { reason } of superseded)
        expect(ids.has(reason?.by ?? ''), JSON.stringify(reason)).to.equal(true);
      expect(all.filter((one) => one.status === 'succeeded').map((one) => one.commit)).to.have.members([
        commits[0],
        commits[99],
      ]);
      expect((await service.answer()).commit).to.equal(commits[99]);
      await service.stop();
    }));
});

describe('a database that is stopped during a burst (row 11)', function () {
  this.timeout(240_000);

  it('is answered 503 with when to come again, and the redelivery once it is back deploys each push once', () =>
    withServer((server) =>
      withCluster(
        { agents: [], environment: ENVIRONMENT, configuration: waiting(40), databaseUrl: server.url },
        async (cluster) => {
          const pushes = Array.from({ length: 40 }, (_, n) => aPush(`b-${n}`, n));
          const burst = pushes.slice(0, 39).map(async (push, n) => {
            await sleep(n * 10);
            return deliver(cluster.http, push);
          });
          await sleep(150);
          await server.stop();
          const last = await deliver(cluster.http, pushes[39] as SignedDelivery);
          expect(last.status).to.equal(503);
          expect(Number(last.retryAfter)).to.be.greaterThan(0);
          const first = [...(await Promise.all(burst)), last];
          expect(first.every(({ status }) => [202, 503].includes(status))).to.equal(true);
          await server.start();
          await until('the database to be back', async () => (await fetch(`${cluster.http}/health`)).ok, {
            timeoutMs: 60_000,
          });
          for (const [n, push] of pushes.entries()) {
            const { status } = await deliver(cluster.http, push);
            expect(status).to.be.oneOf(first[n]?.status === 202 ? [200] : [200, 202]);
          }
          const made = (await deployments(cluster)).map((one) => one.environment);
          expect(made.toSorted()).to.deep.equal(pushes.map((_, n) => `env-${n}`).toSorted());
        },
      ),
    ));
});

describe('a controller that is killed while it accepts deliveries (row 2)', function () {
  this.timeout(240_000);

  it('loses nothing that it answered 2xx to, and the redelivery of all deploys each push once', () =>
    withServer(({ url }) =>
      withCluster(
        { agents: [], environment: ENVIRONMENT, configuration: waiting(60), databaseUrl: url },
        async (cluster) => {
          for (const [round, delayMs] of [20, 60, 120].entries()) {
            const pushes = Array.from({ length: 20 }, (_, n) => aPush(`b-${round * 20 + n}`, n));
            const burst = pushes.map((push) => deliver(cluster.http, push).catch(() => null));
            await sleep(delayMs);
            await cluster.controller.kill9();
            const answers = await Promise.all(burst);
            await cluster.controller.start();
            const known = new Set((await deployments(cluster)).map((one) => one.id));
            for (const answer of answers) {
              for (const id of answer?.deployments ?? []) expect(known.has(id), id).to.equal(true);
            }
            for (const [n, push] of pushes.entries()) {
              const { status } = await deliver(cluster.http, push);
              expect(status).to.be.oneOf(answers[n]?.status === 202 ? [200] : [200, 202]);
            }
          }
          const made = (await deployments(cluster)).map((one) => one.environment);
          expect(made).to.have.lengthOf(60);
          expect(new Set(made).size).to.equal(60);
        },
      ),
    ));
});
