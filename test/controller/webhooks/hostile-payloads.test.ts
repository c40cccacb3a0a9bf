import { expect } from 'chai';
import fc from 'fast-check';
import { FraisierError } from '../../../proto/error-codes.js';
import { acceptInGroups } from '../../../controller/webhooks/accept-deliveries.js';
import { chooseProvider } from '../../../controller/webhooks/choose-provider.js';
import {
  configurationReader,
  type ReadConfiguration,
} from '../../../controller/webhooks/current-configuration.js';
import { receiveDelivery, type Receiver } from '../../../controller/webhooks/receive-delivery.js';
import { pushPayload, signedDelivery, type SignedDelivery } from '../../support/github.js';
import { examplePayloads, hostOf, signedExample } from '../../support/payloads.js';
import { configure, edgesOn, memoryStore, postgresStore, SECRET, withHttp, type Store } from './support.js';

type Json = Readonly<Record<string, unknown>>;

/** Deploys every branch and tag of the repository that the examples are of. */
const EVERYTHING = `
git:
  github: { webhook_secret: "${SECRET}" }
  gitlab: { webhook_secret: "${SECRET}" }
  gitea: { webhook_secret: "${SECRET}" }
  bitbucket: { base_url: https://bitbucket.example.com, webhook_secret: "${SECRET}" }
hosts: { web-1: {} }
fraises:
${['github.com', 'gitlab.example.com', 'git.example.com', 'bitbucket.org', 'bitbucket.example.com/scm']
  .map(
    (host, i) => `
  shop-${i}:
    type: api
    repository: https://${host}/acme/shop.git
    environments:
      all: { branch: "**", tags: "**", hosts: [web-1], app_path: /srv/${i}, systemd_service: s${i}.service }`,
  )
  .join('')}
`;

interface Subject {
  readonly name: string;
  /** What has the same form is told in the same way. */
  readonly form: string;
  readonly payload: Json;
  readonly sign: (payload: unknown) => SignedDelivery;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: 'github/push',
    form: 'github',
    payload: pushPayload({
      repository: 'https://github.com/acme/shop',
      branch: 'main',
      commit: 'c'.repeat(40),
    }),
    sign: (payload) => signedDelivery({ event: 'push', payload, secret: SECRET }),
  },
  ...examplePayloads().map((example) => ({
    name: example.file,
    form: [
      hostOf(example.file).replace('forgejo', 'gitea'),
      ...example.expected.map((one) => String(one['kind'])),
    ].join(' '),
    payload: example.payload,
    sign: (payload: unknown) => unique(signedExample(example, SECRET, payload)),
  })),
];

/** Otherwise every delivery would repeat the first. */
function unique({ headers, body }: SignedDelivery): SignedDelivery {
  const ids =
    /^(idempotency-key|x-request-uuid|x-request-id|x-gitea-delivery|x-gogs-delivery|x-forgejo-delivery)$/;
  const kept = Object.entries(headers).filter(([name]) => !ids.test(name));
  return { headers: Object.fromEntries(kept), body };
}

const STORES: readonly (readonly [name: string, open: () => Promise<Store>, numRuns: number])[] = [
  ['memory', memoryStore, 100],
  ['PostgreSQL', postgresStore, 60],
];

const DEEP: unknown = JSON.parse(`${'['.repeat(1500)}${']'.repeat(1500)}`);
const MISSING = Symbol('missing');

const ODD: readonly unknown[] = [
  MISSING,
  null,
  '',
  -1,
  1e300,
  [],
  {},
  true,
  [null],
  DEEP,
  'x'.repeat(5000),
  '0'.repeat(40),
  'D'.repeat(40),
  'refs/heads/\u0000',
  'refs/tags/main',
  '\ud800',
  'https://git.example.com/mallory/other.git',
];

for (const subject of SUBJECTS.filter(
  (one, i) => i === SUBJECTS.findIndex((other) => other.form === one.form),
)) {
  describe(`the delivery ${subject.name} (row 15)`, function () {
    this.timeout(60_000);

    it('with any one field replaced is refused, ignored, or deploys what it names', async () => {
      // One for all: reading the file is the slowest part of it.
      const readConfiguration = configurationReader();
      for (const path of pathsOf(subject.payload)) {
        const deliver = await receiver(readConfiguration);
        for (const value of ODD) {
          await deliver(subject, withAt(subject.payload, path, value));
        }
      }
    });
  });
}

describe('deliveries of all git hosts (row 15)', function () {
  this.timeout(60_000);

  for (const [name, open, numRuns] of STORES) {
    it(`with several fields replaced by anything are never answered with a fault of ours, on ${name}`, async () => {
      const store = await open();
      try {
        await configure(store.ledger, EVERYTHING);
        const value = fc.oneof(fc.constantFrom(...ODD), fc.jsonValue(), fc.string({ unit: 'binary' }));
        const mutated = fc.constantFrom(...SUBJECTS).chain((subject) => {
          const mutation = fc.tuple(fc.constantFrom(...pathsOf(subject.payload)), value);
          return fc.array(mutation, { minLength: 1, maxLength: 4 }).map((mutations) => ({
            subject,
            payload: mutations.reduce((all, [path, odd]) => withAt(all, path, odd), subject.payload),
          }));
        });
        await withHttp(store.ledger, async ({ send }) => {
          await fc.assert(
            fc.asyncProperty(mutated, async ({ subject, payload }) => {
              const { status, body } = await send(subject.sign(payload));
              expect(status).to.be.oneOf([200, 202, 400]);
              if (status === 400) expect(body).to.have.all.keys('error_type', 'message', 'recovery_hint');
            }),
            { numRuns },
          );
        });
      } finally {
        await store.close();
      }
    });
  }
});

/** Takes deliveries in, and holds every deployment against what its delivery names. */
async function receiver(
  readConfiguration: ReadConfiguration,
): Promise<(subject: Subject, payload: Json) => Promise<void>> {
  const store = await memoryStore();
  await configure(store.ledger, EVERYTHING);
  const edges = edgesOn(store.ledger);
  const receiving: Receiver = {
    edges,
    accept: acceptInGroups(edges),
    admit: () => undefined,
    readConfiguration,
    onUnusableSecret: (_secret, problem) => {
      throw problem;
    },
  };
  return async (subject, payload) => {
    const { headers, body } = subject.sign(payload);
    const provider = chooseProvider(undefined, headers);
    try {
      const received = await receiveDelivery(receiving, { provider, rawBody: body, headers });
      if (received.status !== 'accepted') return;
      for (const id of received.deployments) {
        const deployment = await store.ledger.deployment(id);
        expect(namedBy(subject.name, payload)).to.deep.include([deployment?.ref, deployment?.commit]);
      }
    } catch (error) {
      if (!(error instanceof FraisierError) || error.reason.code !== 'unparseable') throw error;
    }
  };
}

/** Every ref with a commit that a payload names as new, read in the simplest way. */
function namedBy(name: string, payload: Json): unknown[] {
  const short = (ref: unknown): string => String(ref).replace(/^refs\/(heads|tags)\//, '');
  const lower = (sha: unknown): string => String(sha).toLowerCase();
  if (hostOf(name) === 'bitbucket-cloud') {
    const { changes } = payload['push'] as { changes: { new: { name: string; target: Json } | null }[] };
    return changes.map((change) => [change.new?.name, lower(change.new?.target['hash'])]);
  }
  if (hostOf(name) === 'bitbucket-data-center') {
    return (payload['changes'] as Json[]).map((one) => [short(one['refId']), lower(one['toHash'])]);
  }
  const ref = short(payload['ref']);
  const ofTag = [
    (payload['head_commit'] as Json | null | undefined)?.['id'],
    payload['checkout_sha'],
    payload['sha'],
  ];
  const tag = !String(payload['ref']).startsWith('refs/heads/');
  const named = [payload['after'], ...(tag ? ofTag : [])].map((sha) => [ref, lower(sha)]);
  // A tag of Gogs has its short name there, whatever that is.
  return [...named, [payload['ref'], lower(payload['sha'])]];
}

/** Where every value of a payload stands, whatever it is. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inside = Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
  return path.length === 0 ? inside : [path, ...inside];
}

function withAt(payload: Json, [key = '', ...rest]: readonly string[], value: unknown): Json {
  if (rest.length === 0 && value === MISSING) {
    return Object.fromEntries(Object.entries(payload).filter(([name]) => name !== key));
  }
  const inner = payload[key];
  const replaced = rest.length === 0 ? value : withAt(isMap(inner) ? inner : {}, rest, value);
  if (!Array.isArray(payload)) return { ...payload, [key]: replaced };
  return payload.map((one: unknown, i) => (String(i) === key ? replaced : one)) as unknown as Json;
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
