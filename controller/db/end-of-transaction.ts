import type { Knex } from 'knex';
import type { AuditEntry, Ledger, WakeTopic } from '../deployments/ledger.js';
import { CHANNEL } from './wake.js';

/** What is kept until the transaction ends, and then written in one statement. */
export interface EndOfTransaction extends Pick<Ledger, 'audit' | 'wake'> {
  /** To be called last. */
  write(): Promise<void>;
}

/** Audit entries in the order they were made, and each wake-up once. */
export function endOfTransaction(tx: Knex.Transaction): EndOfTransaction {
  const entries: AuditEntry[] = [];
  const topics = new Set<string>();
  return {
    audit: (entry) => {
      entries.push(entry);
      return Promise.resolve();
    },
    wake: (topic: WakeTopic) => {
      topics.add(JSON.stringify(topic));
      return Promise.resolve();
    },
    write: async () => {
      if (entries.length === 0 && topics.size === 0) return;
      await tx.raw(WRITE, [JSON.stringify(entries), CHANNEL, [...topics]]);
    },
  };
}

const WRITE = `
  with written as (
    insert into tb_audit (actor, action, subject, facts)
    select entry ->> 'actor', entry ->> 'action', entry ->> 'subject', entry -> 'facts'
      from jsonb_array_elements(?::jsonb) with ordinality as given (entry, place)
     order by place)
  select pg_notify(?, topic) from unnest(?::text[]) as topic`;
