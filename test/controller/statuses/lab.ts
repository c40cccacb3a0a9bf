import { pino } from 'pino';
import { createLedger } from '../../../controller/db/ledger.js';
import { listen } from '../../../controller/db/notify.js';
import { afterRealTime, type Waking } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { DeploymentRow, NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import type { DeploymentStatus } from '../../../controller/deployments/lifecycle.js';
import { tell } from '../../../controller/deployments/tell.js';
import type { Provider } from '../../../controller/fraises/fraises.js';
import {
  SENDER_PATIENCE,
  startOutboxSender,
  type OutboxSender,
  type SenderPatience,
} from '../../../controller/statuses/outbox-sender.js';
import type { SenderEdges } from '../../../controller/statuses/sender-edges.js';
import { testDatabase } from '../../support/database.js';
import { memoryLedger } from '../../support/memory-ledger.js';
import { REPOSITORY } from './git-host-server.js';
import { CANARY } from './status-apis.js';
import { newDeployment } from '../db/samples.js';

/** What is kept of a notification. */
export interface KeptNotification {
  readonly number: number;
  readonly outcome: string | null;
  readonly attempts: number;
  readonly error: string | null;
  readonly inHand: boolean;
  readonly status: string;
  readonly deployment: string;
}

/** A ledger of either kind, and what a test wants to see and do beside the port. */
export interface StatusStore {
  readonly ledger: Ledger;
  readonly waking: Waking;
  outbox(): Promise<readonly KeptNotification[]>;
  audit(): Promise<readonly { readonly action: string; readonly subject: string; readonly facts: object }[]>;
  /** Everything that is stored, as text, but for configurations. */
  everything(): Promise<string>;
  /** As if hours had passed for everything that waits. */
  passHours(): Promise<void>;
  close(): Promise<void>;
}

export const STORES: Readonly<Record<string, () => Promise<StatusStore>>> = {
  'in memory': memoryStore,
  'in PostgreSQL': databaseStore,
};

function memoryStore(): Promise<StatusStore> {
  let ahead = 0;
  const { ledger, waking, state } = memoryLedger(() => new Date(Date.now() + ahead));
  return Promise.resolve({
    ledger,
    waking,
    outbox: () =>
      Promise.resolve(
        state().outbox.map((row) =>
          kept({ ...row, last_error: row.lastError, claimed_until: row.claimedUntil }),
        ),
      ),
    audit: () => Promise.resolve(state().audit),
    everything: () => Promise.resolve(JSON.stringify([state().outbox, state().audit])),
    passHours: () => Promise.resolve(void (ahead += 6 * 3_600_000)),
    close: () => Promise.resolve(),
  });
}

async function databaseStore(): Promise<StatusStore> {
  const test = await testDatabase();
  const waking = await listen({ url: test.url }, { onError: () => undefined });
  const rowsOf = async <T>(table: string): Promise<T[]> => {
    const { rows } = await test.db.raw<{ rows: T[] }>(`select * from ${table} order by number`);
    return rows;
  };
  return {
    ledger: createLedger(test.db),
    waking,
    outbox: async () => (await rowsOf<KeptRow>('tb_outbox')).map(kept),
    audit: () => rowsOf('tb_audit'),
    everything: async () => JSON.stringify([await rowsOf('tb_outbox'), await rowsOf('tb_audit')]),
    async passHours() {
      await test.db.raw(
        `update tb_outbox set due_at = due_at - interval '6 hours', claimed_until = claimed_until - interval '6 hours'`,
      );
    },
    async close() {
      await waking.close();
      await test.close();
    },
  };
}

interface KeptRow extends Pick<KeptNotification, 'number' | 'outcome' | 'attempts'> {
  readonly last_error: string | null;
  readonly claimed_until: unknown;
  readonly payload: unknown;
}

function kept(row: KeptRow): KeptNotification {
  const { number, outcome, attempts, last_error: error, payload } = row;
  const { status = '', deployment = '' } = (payload ?? {}) as Record<string, string>;
  const inHand = row.claimed_until !== null;
  return { number, outcome, attempts, error, inHand, status, deployment };
}

export function configurationFor(hosts: Partial<Record<Provider, string>>, more = ''): string {
  const git = Object.entries(hosts).map(
    ([provider, url]) =>
      `  ${provider}: { base_url: "${url}", webhook_secret: a-secret-of-some-length, status_token: "\${STATUS_TOKEN}"${more} }`,
  );
  const fraises = Object.entries(hosts).map(([provider, url]) =>
    [
      `  on-${provider}:`,
      `    type: api`,
      `    provider: ${provider}`,
      `    repository: ${url}/${provider === 'bitbucket' && !url.includes('bitbucket.org') ? 'scm/' : ''}${REPOSITORY}.git`,
      `    environments: { production: { branch: main, app_path: /srv/${provider}, restart: { command: [a] }, health_check: { tcp: "a:1" } } }`,
    ].join('\n'),
  );
  return ['git:', ...git, 'fraises:', ...fraises, ''].join('\n');
}

/** Senders over one store, fast and patient as the test says, with everything they log. */
export class StatusLab {
  readonly store: StatusStore;
  readonly logged: string[] = [];
  readonly #senders: OutboxSender[] = [];
  #ids = 0;

  constructor(store: StatusStore) {
    this.store = store;
  }

  async configure(text: string): Promise<void> {
    await this.store.ledger.insertConfiguration({ text, fileName: 'fraises.yaml', appliedBy: 'ana' });
  }

  async deployment(provider: Provider, more: Partial<NewDeployment> = {}): Promise<DeploymentRow> {
    const by = { trigger: 'webhook', requestedBy: 'webhook:github' } as const;
    return this.store.ledger.insertDeployment(
      newDeployment({ id: `d_${(this.#ids += 1)}`, fraise: `on-${provider}`, ...by, ...more }),
    );
  }

  /** As the use cases do it. */
  async tell(deployment: DeploymentRow, status: DeploymentStatus): Promise<void> {
    const topic =
      status === 'queued'
        ? 'deployment_queued'
        : status === 'running'
          ? 'deployment_started'
          : 'deployment_ended';
    await this.store.ledger.transaction(async (tx) => {
      await tell(tx, topic, deployment, status);
      await tx.wake({ about: 'deployment', id: deployment.id });
    });
  }

  start(patience: Partial<SenderPatience> = {}, more: Partial<SenderEdges> = {}): OutboxSender {
    const { ledger, waking } = this.store;
    const destination = { write: (line: string) => void this.logged.push(line) };
    const sender = startOutboxSender(
      {
        ledger,
        waking,
        environment: { STATUS_TOKEN: CANARY },
        after: afterRealTime,
        transport: fetch,
        now: () => new Date(),
        random: () => 0.5,
        logger: pino({ level: 'trace' }, destination),
        publicUrl: 'https://deploy.example.com',
        ...more,
      },
      { ...SENDER_PATIENCE, pollMs: 20, gatherMs: 1, timeoutMs: 2000, drainMs: 50, ...patience },
    );
    this.#senders.push(sender);
    return sender;
  }

  async close(): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.stop()));
    await this.store.close();
  }
}
