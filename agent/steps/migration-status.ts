import { reason } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { MigrationState, MigrationStatus } from '../../proto/gen/fraisier/v1/plan.js';
import { nameOf } from './command.js';
import { endOfCommand, failed, lastLine, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import type { RunStep, StepEnd } from './step.js';

/** Asks the migration tool what is applied and what is pending; strict about the answer, and about `expect`. */
export const migrationStatus: RunStep<MigrationStatus> = async (spec, context) => {
  const end = await context.command(releaseCommand(spec.argv, spec, context, { capture: true }));
  if (end.ended === 'exited' && end.output.trim() !== '') await context.log(end.output.trimEnd());
  if (end.ended !== 'exited' || end.exitCode !== 0)
    return endOfCommand(end, nameOf(spec.argv), 'command_failed');
  const migration = parseMigrationStatus(end.output);
  return typeof migration === 'string' ? unreadable(migration, end.output) : judged(migration, spec.expect);
};

function judged(migration: MigrationState, expect: MigrationState | undefined): StepEnd {
  const result = { migration, exitCode: 0 };
  if (expect === undefined || same(migration, expect)) return succeeded(result);
  const facts = { expected: describe(expect), found: describe(migration) };
  const message = `the database is not as the plan expects it: expected ${facts.expected}, found ${facts.found}`;
  return { outcome: Outcome.FAILED, reason: reason('migrations_changed', message, { facts }), result };
}

function same(one: MigrationState, other: MigrationState): boolean {
  return one.revision === other.revision && JSON.stringify(one.pending) === JSON.stringify(other.pending);
}

function describe({ revision, pending }: MigrationState): string {
  return `revision ${revision === '' ? '(none)' : revision} with ${pending.length === 0 ? 'nothing' : pending.join(', ')} pending`;
}

function unreadable(why: string, output: string): StepEnd {
  return failed(
    'migration_status_unreadable',
    `the answer of the migration status command cannot be used: ${why}`,
    {
      hint: 'its last line of output must be {"revision": "…" or null, "pending": ["id", …]}',
      facts: { output: lastLine(output) },
    },
  );
}

/** The last line of the output as a state, or what is wrong with it. Nothing in it is guessed or left out. */
export function parseMigrationStatus(output: string): MigrationState | string {
  const told = output.trimEnd();
  const value = parseObject(told.slice(told.lastIndexOf('\n') + 1));
  if (value === null) return 'its last line is not a JSON object';
  const { revision, pending, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) return `it has the key "${other}", which has no meaning`;
  if (revision !== null && typeof revision !== 'string') return '"revision" must be a text or null';
  if (!isListOfIds(pending)) return '"pending" must be a list of texts that are not empty';
  if (new Set(pending).size < pending.length) return '"pending" names a migration twice';
  return { revision: revision ?? '', pending, irreversible: [] };
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function isListOfIds(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string' && id !== '');
}
