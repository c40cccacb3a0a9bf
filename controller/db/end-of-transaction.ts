import type { Knex } from 'knex';
import type { Ledger } from '../deployments/ledger.js';
import type { AuditEntry, NewNotification, WakeTopic } from '../deployments/ledger/outbox.js';
import { CHANNEL } from './wake.js';

/** What is kept until the transaction ends, and then written in one statement. */
export interface EndOfTransaction extends Pick<Ledger, 'audit' | 'outbox' | 'wake'> {
  /** To be called last. */
  write(): Promise<void>;
}

/** Audit entries and notifications in the order they were made, and each wake-up once. */
export function endOfTransaction(tx: Knex.Transaction): EndOfTransaction {
  const entries: AuditEntry[] = [];
  const notifications: NewNotification[] = [];
  const topics = new Set<string>();
  return {
    audit: (entry) => {
      entries.push(entry);
      return Promise.resolve();
    },
    outbox: (notification) => {
      notifications.push(notification);
      return Promise.resolve();
    },
    wake: (topic: WakeTopic) => {
      topics.add(JSON.stringify(topic));
      return Promise.resolve();
    },
    write: async () => {
      if (entries.length + notifications.length + topics.size === 0) return;
      const [audit, outbox] = [entries, notifications].map((one) => JSON.stringify(one));
      await tx.raw(WRITE, [audit, outbox, CHANNEL, [...topics]] as Knex.RawBinding[]);
    },
  };
}

const WRITE = `
  with written as (
    insert into tb_audit (actor, action, subject, facts)
    select entry ->> 'actor', entry ->> 'action', entry ->> 'subject', entry -> 'facts'
      from jsonb_array_elements(?::jsonb) with ordinality as given (entry, place)
     order by place),
  told as (
    insert into tb_outbox (topic, about, payload)
    select note ->> 'topic', note ->> 'about', note -> 'payload'
      from jsonb_array_elements(?::jsonb) with ordinality as given (note, place)
     order by place)
  select pg_notify(?, topic) from unnest(?::text[]) as topic`;
