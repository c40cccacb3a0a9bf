import { toJson } from './row.js';
import type { Db } from './row.js';

/** Leaves after the transaction has committed, or never. */
export async function outbox(
  db: Db,
  { topic, payload }: { readonly topic: string; readonly payload: unknown },
): Promise<void> {
  // SQL null would say that there is no payload; JSON null is one.
  await db('tb_outbox').insert({ topic, payload: toJson(payload) ?? 'null' });
}
