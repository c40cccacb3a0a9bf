import { pino, type Logger } from 'pino';
import { isDatabaseAway } from '../../../controller/db/database.js';
import { deploymentFromRecord, type DeploymentRecord } from '../../../controller/db/deployment-row.js';
import { createLedger } from '../../../controller/db/ledger.js';
import { deliveryFromRecord, type DeliveryRecord } from '../../../controller/db/webhook-event.js';
import { afterRealTime, type Edges } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { DeliveryRow } from '../../../controller/deployments/ledger/delivery.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { AuditEntry, WakeTopic } from '../../../controller/deployments/ledger/outbox.js';
import { startHttp, type HttpOptions } from '../../../controller/http/server.js';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { memoryLedger } from '../../support/memory-ledger.js';
import { signedPush, type PushToSign, type SignedDelivery } from '../../support/github.js';

export const SECRET = 'a-webhook-secret-of-thirty-two-characters';
export const OLD_SECRET = 'the-webhook-secret-that-was-before-this-one';
export const REPOSITORY = 'https://github.com/acme/shop.git';

export const CONFIGURATION = `
git: { provider: github, github: { webhook_secret: ["\${WEBHOOK_SECRET}", "${OLD_SECRET}"] } }
hosts: { web-1: {} }
fraises:
  shop:
    type: api
    repository: ${REPOSITORY}
    environments:
      production: { branch: main, tags: "v*", hosts: [web-1], app_path: /srv/shop, systemd_service: shop.service }
      staging: { branch: develop, hosts: [web-1], app_path: /srv/staging, systemd_service: staging.service }
branch_mapping:
  main: [{ fraise: shop, environment: staging }]
`;

/** A ledger, and what a test wants to see of it. */
export interface Store {
  readonly ledger: Ledger;
  /** Oldest first, as all of these. */
  readonly deployments: () => Promise<readonly DeploymentRow[]>;
  readonly deliveries: () => Promise<readonly Omit<DeliveryRow, 'deployments'>[]>;
  readonly audit: () => Promise<readonly AuditEntry[]>;
  readonly close: () => Promise<void>;
}

export function memoryStore(): Promise<Store & { readonly wakes: readonly WakeTopic[] }> {
  const memory = memoryLedger(() => new Date());
  const wakes: WakeTopic[] = [];
  const unsubscribe = memory.waking.subscribe((topic) => wakes.push(topic));
  return Promise.resolve({
    ledger: memory.ledger,
    wakes,
    deployments: () => Promise.resolve(memory.state().deployments),
    deliveries: () => Promise.resolve(memory.state().deliveries),
    audit: () => Promise.resolve(memory.state().audit),
    close: () => {
      unsubscribe();
      return Promise.resolve();
    },
  });
}

/** A database of its own on the test server, closed by `close`. */
export async function postgresStore(): Promise<Store & { readonly test: TestDatabase }> {
  const test = await testDatabase();
  const rows = async <T>(table: string) =>
    (await test.db(table).orderBy('position').select()) as readonly T[];
  return {
    test,
    ledger: createLedger(test.db),
    deployments: async () => (await rows<DeploymentRecord>('tb_deployment')).map(deploymentFromRecord),
    deliveries: async () => (await rows<DeliveryRecord>('tb_webhook_event')).map(deliveryFromRecord),
    audit: async () => (await test.db('tb_audit').orderBy('number').select()) as readonly AuditEntry[],
    close: async () => await test.close(),
  };
}

/** Ids in the order they are made. */
export function edgesOn(
  ledger: Ledger,
  environment: Edges['environment'] = { WEBHOOK_SECRET: SECRET },
): Edges {
  let made = 0;
  return {
    ledger,
    waking: { subscribe: () => () => undefined },
    newId: (prefix) => `${prefix}_${String((made += 1)).padStart(4, '0')}`,
    environment,
    after: afterRealTime,
    leaseMs: 30_000,
  };
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: globalThis.Headers;
}

/** As `SignedDelivery`, with a body that may be anything. */
export interface RawDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** A running server on a free port, and a sender of deliveries. */
export interface Sender {
  readonly url: string;
  /** Lines of the log, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly send: (delivery: SignedDelivery | RawDelivery, path?: string) => Promise<Answer>;
}

/** Runs `work` against a real server over this ledger, and closes it whatever happens. */
export async function withHttp<T>(
  ledger: Ledger,
  work: (sender: Sender) => Promise<T>,
  options: Partial<HttpOptions> = {},
): Promise<T> {
  const { logger, log } = recordingLogger();
  const http = await startHttp({
    edges: edgesOn(ledger),
    address: '127.0.0.1:0',
    logger,
    databaseAway: isDatabaseAway,
    rateLimit: 100_000,
    ...options,
  });
  const url = `http://${http.address}`;
  try {
    return await work({ url, log, send: (delivery, path = '/webhook') => post(`${url}${path}`, delivery) });
  } finally {
    await http.close();
  }
}

async function post(url: string, { headers, body }: RawDelivery): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', headers, body });
  return {
    status: response.status,
    body: (await response.json()) as Answer['body'],
    headers: response.headers,
  };
}

function recordingLogger(): { logger: Logger; log: Record<string, unknown>[] } {
  const log: Record<string, unknown>[] = [];
  const write = (line: string): void => void log.push(JSON.parse(line) as Record<string, unknown>);
  return { logger: pino({ level: 'debug' }, { write }), log };
}

export async function configure(ledger: Ledger, text: string = CONFIGURATION): Promise<void> {
  await ledger.insertConfiguration({ text, fileName: 'fraises.yaml', appliedBy: 'local' });
}

/** The commit that is nothing but this character, to be told apart at a glance. */
export function commit(character: string): string {
  return character.repeat(40);
}

/** A signed push to `develop`, which one environment deploys. */
export function aPush(push: Partial<PushToSign> = {}): SignedDelivery {
  return signedPush({
    repository: REPOSITORY,
    branch: 'develop',
    commit: commit('c'),
    secret: SECRET,
    ...push,
  });
}
