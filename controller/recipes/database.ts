import { Direction, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Database } from '../fraises/fraises.js';
import type { Recipe } from './recipe.js';
import { stepOf } from './step-of.js';

/** The part of a recipe that is about the database; the same for every kind. */
export const databaseSteps: Pick<Recipe, 'measure' | 'migrate' | 'migrateDown'> = {
  measure: (database, commit) =>
    database.status === null ? [] : [measured(database.status, database, commit)],
  migrate: (database, commit) => [migrating('migrate', Direction.UP, database.up, database, commit)],
  migrateDown: (database, commit) =>
    database.down === null || database.status === null
      ? []
      : [migrating('migrate_down', Direction.DOWN, database.down, database, commit)],
};

function measured(argv: readonly string[], database: Database, commit: string): Step {
  return stepOf('migration_status', database.timeoutMs, {
    $case: 'migrationStatus',
    value: { argv, user: database.user ?? '', commit },
  });
}

function migrating(
  name: string,
  direction: Direction,
  argv: readonly string[],
  database: Database,
  commit: string,
): Step {
  const value = { direction, argv: [...argv], user: database.user ?? '', commit };
  return stepOf(name, database.timeoutMs, { $case: 'migrate', value }, { repeatable: false });
}
