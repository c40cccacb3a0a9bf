import { orDatabaseAway } from './connection-failure.js';
import { bytes, toBuffer } from './row.js';
import type { Db } from './row.js';

/** The certificate authority of this database; its key is sealed with a key file that only the controllers have. */
export interface StoredAuthority {
  readonly certificatePem: string;
  readonly sealedKey: Uint8Array;
}

export interface AuthorityStore {
  load(): Promise<StoredAuthority | null>;
  /** Stores it unless there is one; returns the one that is stored, for all controllers the same. */
  storeOnce(authority: StoredAuthority): Promise<StoredAuthority>;
}

/** The store that the certificate authority is handed; both functions may fail with `database_away`. */
export function authorityStore(db: Db): AuthorityStore {
  return {
    load: async () => await orDatabaseAway(loadAuthority(db)),
    storeOnce: async (authority) => await orDatabaseAway(storeAuthority(db, authority)),
  };
}

async function loadAuthority(db: Db): Promise<StoredAuthority | null> {
  const [row] = await db('tb_authority').select<{ certificate_pem: string; sealed_key: Uint8Array }[]>();
  return row === undefined ? null : { certificatePem: row.certificate_pem, sealedKey: bytes(row.sealed_key) };
}

/** The table has room for one row, so that a second insert waits for the first and then does nothing. */
async function storeAuthority(
  db: Db,
  { certificatePem, sealedKey }: StoredAuthority,
): Promise<StoredAuthority> {
  await db('tb_authority')
    .insert({ certificate_pem: certificatePem, sealed_key: toBuffer(sealedKey) })
    .onConflict('one')
    .ignore();
  return (await loadAuthority(db)) as StoredAuthority;
}
