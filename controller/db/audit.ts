import type { AuditEntry } from '../deployments/ledger/outbox.js';
import { toJson } from './row.js';
import type { Db } from './row.js';

/** Commits with the change it tells of. */
export async function audit(db: Db, { actor, action, subject, facts }: AuditEntry): Promise<void> {
  await db('tb_audit').insert({ actor, action, subject, facts: toJson(facts) });
}
