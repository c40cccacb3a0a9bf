import { alembic, flaskMigrate } from './alembic.js';
import { dbmate } from './dbmate.js';
import { django } from './django.js';
import { knex } from './knex.js';
import { command, confiture, flyway, prisma, rails } from './presets.js';
import { sql } from './sql.js';
import type { MigrationTool } from './tool.js';

/** Every migration tool, by its word in `fraises.yaml`. */
export const MIGRATION_TOOLS = {
  alembic,
  command,
  confiture,
  dbmate,
  django,
  flask_migrate: flaskMigrate,
  flyway,
  knex,
  prisma,
  rails,
  sql,
} as const satisfies Readonly<Record<string, MigrationTool>>;

export type MigrationToolName = keyof typeof MIGRATION_TOOLS;

export const MIGRATION_TOOL_NAMES = Object.keys(MIGRATION_TOOLS) as readonly MigrationToolName[];

/** The tool that a plan names; one frozen by a newer controller may be unknown here. */
export function migrationTool(name: string): MigrationTool {
  const tool = (MIGRATION_TOOLS as Readonly<Record<string, MigrationTool>>)[name];
  if (tool === undefined)
    throw new Error(`the plan names the migration tool ${name}, which is not known here`);
  return tool;
}
