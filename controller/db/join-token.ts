import type { JoinTokenRow, NewJoinToken } from '../deployments/ledger/agent.js';
import { clock, toJson } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly token_hash: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly created_by: string;
  readonly expires_at: Date;
  readonly used_at: Date | null;
  readonly used_by_key: string | null;
}

/** Throws when there is a token of this hash. */
export async function insertJoinToken(db: Db, token: NewJoinToken): Promise<void> {
  await db('tb_join_token').insert({
    token_hash: token.tokenHash,
    name: token.name,
    labels: toJson(token.labels),
    created_by: token.createdBy,
    expires_at: token.expiresAt,
  });
}

/** Locked until the transaction ends, so that it is used once. */
export async function holdJoinToken(db: Db, tokenHash: string): Promise<JoinTokenRow | null> {
  const [row] = await db('tb_join_token').where({ token_hash: tokenHash }).forUpdate().select<Row[]>();
  if (row === undefined) return null;
  return {
    tokenHash: row.token_hash,
    name: row.name,
    labels: row.labels,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    usedByKey: row.used_by_key,
  };
}

/** Marks it used now; that it was free is for the caller to see, who holds it. */
export async function useJoinToken(db: Db, tokenHash: string, publicKeyHash: string): Promise<void> {
  await db('tb_join_token')
    .where({ token_hash: tokenHash })
    .update({ used_at: clock(db), used_by_key: publicKeyHash });
}
