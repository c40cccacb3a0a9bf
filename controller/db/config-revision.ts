import type { ConfigurationRevision } from '../deployments/ledger/configuration.js';
import { select } from './row.js';
import type { Db } from './row.js';

interface Row {
  readonly revision: number;
  readonly text: string;
  readonly file_name: string;
  readonly applied_by: string;
  readonly applied_at: Date;
}

/** The newest one; null before the first. Who knows it already is not sent its text again. */
export async function currentConfiguration(db: Db, above = 0): Promise<ConfigurationRevision | null> {
  const sql = 'select * from tb_config_revision where revision > ? order by revision desc limit 1';
  const [row] = await select<Row>(db, sql, [above]);
  return row === undefined ? null : fromRow(row);
}

/** Null when there is none of this number. */
export async function configurationRevision(db: Db, revision: number): Promise<ConfigurationRevision | null> {
  const row = await db<Row>('tb_config_revision').where({ revision }).first();
  return row === undefined ? null : fromRow(row);
}

/** The table's lock, kept to the end of the transaction, makes the numbers follow each other without gaps. */
export async function insertConfiguration(
  db: Db,
  { text, fileName, appliedBy }: Omit<ConfigurationRevision, 'revision' | 'appliedAt'>,
): Promise<ConfigurationRevision> {
  return await db.transaction(async (tx) => {
    await tx.raw('lock table tb_config_revision in share row exclusive mode');
    const revision = tx.raw('(select coalesce(max(revision), 0) + 1 from tb_config_revision)');
    const [row] = await tx('tb_config_revision')
      .insert({ revision, text, file_name: fileName, applied_by: appliedBy })
      .returning<Row[]>('*');
    return fromRow(row as Row);
  });
}

function fromRow(row: Row): ConfigurationRevision {
  return {
    revision: row.revision,
    text: row.text,
    fileName: row.file_name,
    appliedBy: row.applied_by,
    appliedAt: row.applied_at,
  };
}
