import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { MigrationState, MigrationStatus } from '../../proto/gen/fraisier/v1/plan.js';
import { isExpected } from '../migrations/expected.js';
import { startable } from '../migrations/own-program.js';
import { missingHere, readerOf } from '../migrations/read-status.js';
import { stateOf, type ReadText, type Told } from '../migrations/told.js';
import { nameOf } from './command.js';
import { endOfCommand, failed, lastLine, saidBy, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import type { CommandEnd, RunStep, StepContext, StepEnd } from './step.js';

/** Asks the migration tool what is applied and what is pending; strict about the answer, and about `expect`. */
export const migrationStatus: RunStep<MigrationStatus> = async (spec, context) => {
  const outputs: string[] = [];
  for (const argv of [spec.argv, ...spec.further.map(({ words }) => words)]) {
    const end = await ask(argv, spec, context);
    if (end.ended !== 'exited' || end.exitCode !== 0) return notAnswered(end, argv);
    outputs.push(end.output);
  }
  const { cwd = '' } = releaseCommand(spec.argv, spec, context);
  const told = await readerOf(spec.tool)(outputs, { directory: spec.directory, read: textBelow(cwd) });
  return 'unreadable' in told ? unusable(told.unreadable, spec, outputs) : judged(told, spec);
};

async function ask(
  argv: readonly string[],
  spec: MigrationStatus,
  context: StepContext,
): Promise<CommandEnd> {
  const end = await context.command(releaseCommand(startable(argv), spec, context, { capture: true }));
  if (end.ended === 'exited' && end.output.trim() !== '') await context.log(end.output.trimEnd());
  return end;
}

/** A tool that will not answer because the database knows what the release does not says that something was changed. */
function notAnswered(end: CommandEnd, argv: readonly string[]): StepEnd {
  const printed = end.ended === 'exited' ? `${end.output}\n${saidBy(end)}` : '';
  const names = missingHere(printed);
  if (names === '') return endOfCommand(end, nameOf(argv), 'command_failed');
  const message = `the database has migrations that this release does not have: ${names}`;
  return failed('migrations_changed', message, { facts: { found: names } });
}

/** Plain files of a sensible size only. */
function textBelow(folder: string): ReadText {
  return async (path) => {
    const file = resolve(folder, path);
    const found = await stat(file).catch(() => null);
    if (found === null || !found.isFile() || found.size > MOST_BYTES) return null;
    return readFile(file, 'utf8');
  };
}

const MOST_BYTES = 16 * 1024 * 1024;

function judged(told: Told, spec: MigrationStatus): StepEnd {
  const migration = stateOf(told);
  const result = { migration, exitCode: 0 };
  if (spec.expect === undefined || isExpected(told, spec)) return succeeded(result);
  const facts = { expected: describeExpected(spec.expect, spec), found: describe(migration) };
  const message = `the database is not as the plan expects it: expected ${facts.expected}, found ${facts.found}`;
  return { outcome: Outcome.FAILED, reason: reason('migrations_changed', message, { facts }), result };
}

function describeExpected(expect: MigrationState, { applied, progress }: MigrationStatus): string {
  if (applied > 0)
    return `that ${expect.pending.slice(0, applied).join(', ')} and nothing else was applied since`;
  return progress ? `${describe(expect)}, or some of that applied` : describe(expect);
}

function describe({ revision, pending, appliedDigest }: MigrationState): string {
  const at = `revision ${revision === '' ? '(none)' : revision}`;
  const of = appliedDigest === '' ? '' : ` (set ${appliedDigest.slice(0, 8)})`;
  return `${at}${of} with ${pending.length === 0 ? 'nothing' : pending.join(', ')} pending`;
}

function unusable(why: string, { tool }: MigrationStatus, outputs: readonly string[]): StepEnd {
  const form = 'its last line of output must be {"revision": "…" or null, "pending": ["id", …]}';
  return failed(
    'migration_status_unreadable',
    `the answer of the migration status command cannot be used: ${why}`,
    {
      hint:
        tool === '' || tool === 'command'
          ? form
          : `run ${tool} in the release by hand and look at what it prints`,
      facts: { output: lastLine(outputs.join('\n')) },
    },
  );
}
