import { expect } from 'chai';
import { examplePayload, signedExample } from '../../support/payloads.js';
import {
  commit,
  configure,
  memoryStore,
  postgresStore,
  SECRET,
  withHttp,
  type Sender,
  type Store,
} from './support.js';

const TEXT = `
git:
  gitlab: { webhook_secret: [another-secret-of-gitlab, "${SECRET}"] }
  gitea: { webhook_secret: "${SECRET}" }
  bitbucket: { base_url: https://bitbucket.example.com, webhook_secret: "${SECRET}" }
hosts: { web-1: {} }
fraises:
${['gitlab.example.com', 'git.example.com', 'bitbucket.org', 'bitbucket.example.com/scm']
  .map(
    (host, i) => `
  shop-${i}:
    type: api
    repository: https://${host}/ACME/Shop.git
    environments:
      all: { branch: main, hosts: [web-1], app_path: /srv/${i}, systemd_service: s${i}.service }
      next: { branch: develop, tags: "v*", hosts: [web-1], app_path: /srv/n${i}, systemd_service: n${i}.service }`,
  )
  .join('')}
`;

const STORES: readonly (readonly [name: string, open: () => Promise<Store>])[] = [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
];

const HEAD = 'c3d4e5f607'.repeat(4);
const signed = (file: string) => signedExample(examplePayload(file), SECRET);

for (const [name, open] of STORES) {
  describe(`over HTTP, on ${name},`, function () {
    this.timeout(60_000);

    async function prepared(
      work: (sender: Sender, store: Store) => Promise<void>,
      refusalLimit = 60,
    ): Promise<void> {
      const store = await open();
      try {
        await configure(store.ledger, TEXT);
        await withHttp(store.ledger, (sender) => work(sender, store), { refusalLimit });
      } finally {
        await store.close();
      }
    }

    it('a push of every git host is recognised by its headers and deploys what was pushed', () =>
      prepared(async ({ send }, store) => {
        const hosts = ['gitlab', 'gitea', 'forgejo', 'gogs', 'bitbucket-cloud', 'bitbucket-data-center'];
        for (const host of hosts) {
          expect((await send(signed(`${host}/push.json`))).status, host).to.equal(202);
        }
        const deployments = await store.deployments();
        expect(deployments.map((one) => [one.fraise, one.environment, one.commit])).to.deep.equal(
          [0, 1, 1, 1, 2, 3].map((i) => [`shop-${i}`, 'all', HEAD]),
        );
        expect((await store.deliveries()).map((one) => [one.provider, one.event])).to.deep.equal([
          ['gitlab', 'Push Hook'],
          ...Array(3).fill(['gitea', 'push']),
          ['bitbucket', 'repo:push'],
          ['bitbucket', 'repo:refs_changed'],
        ]);
      }));

    it('the ledger says which secret it was, and keeps none', () =>
      prepared(async ({ send }, store) => {
        await send(signed('gitlab/push.json'));
        const [delivery] = await store.deliveries();
        expect(delivery?.matchedSecret).to.equal('git.gitlab.webhook_secret[1]');
        expect(delivery?.headers).to.have.property('x-gitlab-event-uuid');
        expect(JSON.stringify(delivery?.headers)).to.not.include(SECRET);
      }));

    it('one push of several branches and tags deploys each of them', () =>
      prepared(async ({ send }, store) => {
        const { status, body } = await send(signed('bitbucket-cloud/push-of-many-refs.json'));
        expect(status).to.equal(202);
        expect(body['deployments']).to.have.length(3);
        const deployments = await store.deployments();
        expect(deployments.map((one) => `${one.environment} ${one.ref}`)).to.have.members([
          'all main',
          'next develop',
          'next v1.0.0',
        ]);
        const last = deployments.find((one) => one.ref === 'v1.0.0');
        expect(deployments.find((one) => one.ref === 'develop')).to.include({ status: 'superseded' });
        expect(last).to.include({ status: 'queued', commit: HEAD });
        expect((await store.deliveries())[0]).to.include({ branch: 'main', commit: HEAD });
      }));

    it('what cannot tell whether its paths changed waits for an agent, and says so in the ledger', () =>
      prepared(async ({ send }, store) => {
        await configure(store.ledger, TEXT.replaceAll('branch: main', 'branch: main, paths: ["site/**"]'));
        for (const host of ['gitlab', 'bitbucket-cloud']) {
          const { status, body } = await send(signed(`${host}/push.json`));
          expect([status, body['status'], body['deployments']]).to.deep.equal([202, 'pending', []]);
          const last = (await store.deliveries()).at(-1);
          expect([last?.verdict, last?.reason?.code]).to.deep.equal(['pending', 'paths_unknown']);
        }
        expect(await store.deployments()).to.deep.equal([]);
      }));

    it('a repeat is known by its id or, where there is none, by its body', () =>
      prepared(async ({ send }, store) => {
        const push = signed('gitlab/push.json');
        const older = { ...push.headers, 'idempotency-key': '' };
        const oldest = { ...older, 'x-gitlab-event-uuid': '' };
        for (const headers of [push.headers, older, oldest]) {
          expect((await send({ ...push, headers })).status).to.equal(202);
          expect((await send({ ...push, headers })).body['status']).to.equal('duplicate');
        }
        const body = Buffer.from(
          JSON.stringify({ ...examplePayload('gitlab/push.json').payload, after: commit('e') }),
        );
        expect((await send({ headers: older, body })).status).to.equal(202);
        expect((await send({ headers: oldest, body })).status).to.equal(202);
        const ids = (await store.deliveries()).map((one) => one.deliveryId);
        expect(ids[2]).to.match(/^13792a34-cac6-4fda-95a8-c58e00a30001:[0-9a-f]{16}$/);
        expect(ids[4]).to.match(/^sha256:[0-9a-f]{64}$/);
      }));

    it('a delivery that does not say what it is about is refused', () =>
      prepared(async ({ send }) => {
        const { headers, body } = signed('gitlab/push.json');
        const { status, body: answer } = await send({ headers: { ...headers, 'x-gitlab-event': '' }, body });
        expect(status).to.equal(400);
        expect(answer['message']).to.equal('the header of gitlab that names the event is missing');
      }));

    it('the unsigned test button of Bitbucket Data Center is answered and stored, and claims nothing', () =>
      prepared(async ({ send }, store) => {
        const { headers, payload } = examplePayload('bitbucket-data-center/test-button.json');
        const test = { headers, body: JSON.stringify(payload) };
        expect((await send(test)).body).to.deep.equal({ status: 'pong', webhook_id: 'w_0001' });
        expect((await store.deliveries())[0]).to.deep.include({
          verdict: 'pong',
          event: 'diagnostics:ping',
          claimed: false,
          body: null,
          matchedSecret: null,
        });
        expect((await send(test)).status).to.equal(200);
        expect((await send(test)).body).to.include({ error_type: 'rate_limited' });
        const signedTest = signed('bitbucket-data-center/test-button.json');
        expect((await send(signedTest)).body['status']).to.equal('pong');
        const push = examplePayload('bitbucket-data-center/push.json');
        const unsigned = { headers: push.headers, body: JSON.stringify(push.payload) };
        expect((await send(unsigned)).status).to.equal(401);
        expect(await store.deployments()).to.deep.equal([]);
      }, 2));
  });
}
