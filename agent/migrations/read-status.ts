import { readAlembic } from './alembic.js';
import { readDbmate } from './dbmate.js';
import { readKnex } from './knex.js';
import { readCommand, readDjango, readSql } from './printed.js';
import type { ReadStatus } from './told.js';

/** The reader of a tool's own output; what prints the documented JSON line is read as that. */
export function readerOf(tool: string): ReadStatus {
  switch (tool) {
    case 'knex':
      return readKnex;
    case 'dbmate':
      return readDbmate;
    case 'alembic':
    case 'flask_migrate':
      return readAlembic;
    case 'django':
      return readDjango;
    case 'sql':
      return readSql;
    default:
      return readCommand;
  }
}

const MISSING_HERE = [
  /The migration directory is corrupt, the following files are missing: (\S.*)/,
  /Can't locate revision identified by '([^']+)'/,
];

/** What the database has and this release does not, when that is why the tool would not answer; empty when it is not. */
export function missingHere(printed: string): string {
  return MISSING_HERE.map((form) => form.exec(printed)?.[1]).find((names) => names !== undefined) ?? '';
}
