import { expect } from 'chai';
import { signedDelivery } from '../../support/github.js';
import { examplePayload, signedExample } from '../../support/payloads.js';
import {
  aPush,
  configure,
  edgesOn,
  memoryStore,
  withHttp,
  type Answer,
  type Sender,
  type Store,
} from './support.js';

const SHOP = 'https://github.com/acme/shop.git';
const SITE = 'https://github.com/acme/site.git';

const TEXT = `
git: { github: { webhook_secret: the-secret-of-all-of-github } }
hosts: { web-1: {} }
fraises:
  shop:
    type: api
    repository: ${SHOP}
    webhook_secret: ["\${SHOP_SECRET}", the-secret-of-shop-before]
    environments:
      one: { branch: main, hosts: [web-1], app_path: /srv/1, systemd_service: a.service }
  shop2:
    type: api
    repository: ${SHOP}
    environments:
      two: { branch: main, webhook_secret: shared-by-two-repositories, hosts: [web-1], app_path: /srv/2, systemd_service: b.service }
  site:
    type: api
    repository: ${SITE}
    webhook_secret: shared-by-two-repositories
    environments:
      three: { branch: main, hosts: [web-1], app_path: /srv/3, systemd_service: c.service }
`;

describe('the own secret of a fraise', () => {
  async function prepared(
    work: (send: Sender['send'], store: Store) => Promise<void>,
    text = TEXT,
  ): Promise<void> {
    const store = await memoryStore();
    await configure(store.ledger, text);
    const edges = edgesOn(store.ledger, { SHOP_SECRET: 'the-secret-of-shop' });
    await withHttp(store.ledger, ({ send }) => work(send, store), { edges });
  }
  const push = (repository: string, secret: string) => aPush({ repository, secret, branch: 'main' });
  const started = async (store: Store): Promise<string[]> =>
    (await store.deployments()).map((one) => `${one.fraise} ${one.environment}`);

  it('verifies webhooks of its repository, and the ledger says where it stands', () =>
    prepared(async (send, store) => {
      for (const [secret, path] of [
        ['the-secret-of-shop', 'fraises.shop.webhook_secret[0]'],
        ['the-secret-of-shop-before', 'fraises.shop.webhook_secret[1]'],
        ['shared-by-two-repositories', 'fraises.shop2.environments.two.webhook_secret'],
        ['the-secret-of-all-of-github', 'git.github.webhook_secret'],
      ] as const) {
        expect((await send(push(SHOP, secret))).status, path).to.equal(202);
        expect((await store.deliveries()).at(-1)?.matchedSecret).to.equal(path);
      }
      expect((await started(store)).slice(0, 2)).to.deep.equal(['shop one', 'shop2 two']);
      expect((await send(push(SITE, 'shared-by-two-repositories'))).status).to.equal(202);
      expect((await store.deliveries()).at(-1)?.matchedSecret).to.equal('fraises.site.webhook_secret');
    }));

  it('verifies no webhook of another repository', () =>
    prepared(async (send, store) => {
      const answers: Answer[] = [
        await send(push(SITE, 'the-secret-of-shop')),
        await send(push('https://github.com/mallory/shop.git', 'the-secret-of-shop')),
      ];
      for (const { status, body } of answers) {
        expect(status).to.equal(401);
        expect(body['message']).to.equal(
          'fraises.shop.webhook_secret[0] signs only for the repository of its own fraise',
        );
      }
      expect(await store.deployments()).to.deep.equal([]);
      expect((await store.deliveries()).map((one) => [one.verdict, one.claimed, one.body])).to.deep.equal(
        Array(2).fill(['bad_signature', false, null]),
      );
    }));

  it('verifies no push that stands behind a change of another kind', () =>
    prepared(async (send, store) => {
      const example = examplePayload('bitbucket-cloud/push.json');
      const { changes } = example.payload['push'] as { changes: Record<string, object>[] };
      const odd = { ...changes[0], new: { ...changes[0]?.['new'], type: 'bookmark' } };
      const payload = { ...example.payload, push: { changes: [odd, ...changes] } };
      const { status } = await send(signedExample(example, 'the-secret-of-shop', payload));
      expect(status).to.equal(401);
      expect(await store.deployments()).to.deep.equal([]);
    }));

  it('verifies no push whose addresses are of two repositories', () =>
    prepared(async (send, store) => {
      const secret = 'the-secret-of-shop';
      const plain = JSON.parse(Buffer.from(push(SHOP, secret).body).toString()) as { repository: object };
      const payload = {
        ...plain,
        repository: { ...plain.repository, ssh_url: 'git@github.com:acme/site.git' },
      };
      expect((await send(signedDelivery({ event: 'push', payload, secret }))).status).to.equal(401);
      expect(await started(store)).to.deep.equal([]);
    }));

  it('verifies a ping, which names no repository and starts nothing', () =>
    prepared(async (send) => {
      const ping = signedDelivery({ event: 'ping', payload: {}, secret: 'the-secret-of-shop' });
      expect((await send(ping)).body['status']).to.equal('pong');
    }));

  it('is enough without one of the git host', () =>
    prepared(
      async (send) => {
        expect((await send(push(SHOP, 'the-secret-of-shop'))).status).to.equal(202);
        expect((await send(push(SHOP, 'the-secret-of-all-of-github'))).status).to.equal(401);
      },
      TEXT.replace(/^git:.*$/m, ''),
    ));
});
