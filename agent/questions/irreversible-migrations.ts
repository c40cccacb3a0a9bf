import { hasNoWayDown, isEmptySql } from '../migrations/ways-down.js';

/** A file of the commit as text; null when it has none of that name. */
export type ShowFile = (path: string) => Promise<string | null>;

/** Those of the changed migration files that have no way down, as far as their text in the commit tells. */
export async function irreversibleMigrations(
  tool: string,
  paths: readonly string[],
  show: ShowFile,
): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await lacksWayDown(tool, path, show)) found.push(path);
  return found;
}

async function lacksWayDown(tool: string, path: string, show: ShowFile): Promise<boolean> {
  if (tool === 'sql') {
    if (!path.endsWith('.up.sql') || (await show(path)) === null) return false;
    return isEmptySql((await show(path.replace(/\.up\.sql$/, '.down.sql'))) ?? '');
  }
  const form = MIGRATION_OF[tool];
  const text = form === undefined ? null : await show(path);
  return form !== undefined && text !== null && form.test(text) && hasNoWayDown(tool, text);
}

/** What only a migration of the tool has in its text. */
const MIGRATION_OF: Readonly<Record<string, RegExp>> = {
  dbmate: /^--[ \t]*migrate:up/m,
  knex: /\bup\b/,
  alembic: /^def\s+upgrade\s*\(/m,
  flask_migrate: /^def\s+upgrade\s*\(/m,
};
