import type { ApiTokenRow, Role } from '../deployments/records.js';
import type { Db } from './row.js';

interface Row {
  readonly name: string;
  readonly role: Role;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

/** By the SHA-256 of the token, hex; expired and revoked ones are returned as well. */
export async function apiToken(db: Db, tokenHash: string): Promise<ApiTokenRow | null> {
  const [row] = await db('tb_api_token').where({ token_hash: tokenHash }).select<Row[]>();
  if (row === undefined) return null;
  return { name: row.name, role: row.role, expiresAt: row.expires_at, revokedAt: row.revoked_at };
}

/** Throws when there is a token of this hash. */
export async function insertApiToken(
  db: Db,
  token: ApiTokenRow & { readonly tokenHash: string },
): Promise<void> {
  await db('tb_api_token').insert({
    token_hash: token.tokenHash,
    name: token.name,
    role: token.role,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
  });
}

/** Whether a first token was ever made. */
export async function anyApiToken(db: Db): Promise<boolean> {
  return (await db('tb_api_token').limit(1).select('name')).length > 0;
}
