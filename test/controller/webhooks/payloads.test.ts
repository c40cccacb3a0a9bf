import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { exampleEvents, pushPayload, signedDelivery } from '../../support/github.js';
import {
  commit,
  configure,
  CONFIGURATION,
  memoryStore,
  postgresStore,
  REPOSITORY,
  SECRET,
  withHttp,
  type Sender,
  type Store,
} from './support.js';

/** Deploys the one repository of the examples that has a push to a branch. */
const FOR_EXAMPLES = CONFIGURATION.replace(REPOSITORY, 'https://github.com/Codertocat/Hello-World').replace(
  'branch: main',
  'branch: master',
);

const STORES: readonly (readonly [name: string, open: () => Promise<Store>, numRuns: number])[] = [
  ['memory', memoryStore, 100],
  ['PostgreSQL', postgresStore, 60],
];

describe('over HTTP (row 15)', function () {
  this.timeout(60_000);

  it('every example of GitHub is answered, and only pushes to a branch that is deployed start anything', async () => {
    const store = await memoryStore();
    await configure(store.ledger, FOR_EXAMPLES);
    await withHttp(store.ledger, async ({ send }) => {
      for (const { name, examples } of exampleEvents()) {
        for (const payload of examples) {
          const { status, body } = await send(signedDelivery({ event: name, payload, secret: SECRET }));
          const deploys = name === 'push' && payload['ref'] === 'refs/heads/master';
          expect(status, name).to.equal(deploys ? 202 : 200);
          expect(body['status'], name).to.equal(deploys ? 'accepted' : name === 'ping' ? 'pong' : 'ignored');
        }
      }
    });
    const deliveries = await store.deliveries();
    expect(deliveries.every((one) => one.claimed && one.body !== null)).to.equal(true);
    expect((await store.deployments()).map((one) => one.commit)).to.deep.equal(
      Array(2).fill('6113728f27ae82c7b1a177c8d03f9e96e0adf246'),
    );
  });

  for (const [name, open, numRuns] of STORES) {
    it(`no mutation of a push is answered with a fault of ours, or deploys anything else than it names, on ${name}`, async () => {
      const store = await open();
      try {
        await configure(store.ledger);
        await withHttp(store.ledger, async ({ send }) => {
          const mutation = fc.record({
            path: fc.constantFrom(...pathsOf(pushPayload(PUSH))),
            value: fc.oneof(fc.constantFrom(...ODD), fc.jsonValue(), fc.string({ unit: 'binary' })),
          });
          await fc.assert(
            fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
              const payload = mutations.reduce(
                (all, { path, value }) => withAt(all, path, value),
                pushPayload(PUSH),
              );
              await sendAndCheck(send, payload);
            }),
            { numRuns },
          );
        });
        for (const one of await store.deployments()) {
          const delivery = (await store.deliveries()).find(({ id }) => id === one.webhookId);
          const sent = JSON.parse(Buffer.from(delivery?.body ?? []).toString()) as Record<string, unknown>;
          expect(String(sent['after']).toLowerCase()).to.equal(one.commit);
          expect(sent['ref']).to.equal(`refs/heads/${one.ref}`);
          expect(sent['deleted']).to.not.equal(true);
          expect(one.environment).to.equal('staging');
        }
      } finally {
        await store.close();
      }
    });
  }

  it('no bytes that are signed are answered with a fault of ours', async () => {
    const store = await memoryStore();
    await configure(store.ledger);
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    await withHttp(store.ledger, async ({ send }) => {
      const texts = [
        '',
        '{',
        deep,
        `{"repository":${deep}}`,
        '\ufeff{}',
        '{"__proto__":{"ref":"refs/heads/main"}}',
        'payload=%ff',
      ];
      for (const text of texts) {
        for (const form of [false, true]) {
          const { headers } = signedDelivery({ event: 'push', payload: null, secret: SECRET, form });
          const body = Buffer.from(text);
          const { status } = await send({ headers: { ...headers, ...signatureOf(body) }, body });
          expect(status, text.slice(0, 40)).to.equal(400);
        }
      }
    });
    expect(await store.deployments()).to.deep.equal([]);
  });
});

const PUSH = { repository: REPOSITORY, branch: 'develop', commit: commit('c') };

const ODD: readonly unknown[] = [
  null,
  '',
  -1,
  1e300,
  [],
  {},
  true,
  '0'.repeat(40),
  'C'.repeat(40),
  'refs/heads/',
  'refs/heads/main\u0000',
  'refs/heads/\ud83d',
  'refs/tags/develop',
  'https://github.com/mallory/other.git',
  'x'.repeat(5000),
];

async function sendAndCheck(send: Sender['send'], payload: unknown): Promise<void> {
  const { status, body } = await send(signedDelivery({ event: 'push', payload, secret: SECRET }));
  expect(status).to.be.oneOf([200, 202, 400]);
  if (status === 400) expect(body).to.have.all.keys('error_type', 'message', 'recovery_hint');
}

function signatureOf(body: Buffer): Record<string, string> {
  return { 'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}` };
}

/** Every key that is looked at, and a few that are not. */
function pathsOf(payload: Record<string, unknown>): readonly (readonly string[])[] {
  const inside = (key: string): string[][] => Object.keys(payload[key] as object).map((name) => [key, name]);
  return [
    ...Object.keys(payload).map((key) => [key]),
    ...['clone_url', 'ssh_url', 'html_url', 'git_url', 'pushed_at', 'id'].map((key) => ['repository', key]),
    ...inside('sender').slice(0, 3),
    ...inside('pusher'),
    ['head_commit', 'id'],
  ];
}

function withAt(
  payload: Record<string, unknown>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  if (rest.length === 0) return { ...payload, [key]: value };
  const inner = payload[key];
  return { ...payload, [key]: withAt(typeof inner === 'object' ? { ...inner } : {}, rest, value) };
}
