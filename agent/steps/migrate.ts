import { reason } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import { Direction } from '../../proto/gen/fraisier/v1/plan.js';
import type { Migrate } from '../../proto/gen/fraisier/v1/plan.js';
import { startable } from '../migrations/own-program.js';
import { withOwnOptions } from '../migrations/postgres-options.js';
import { nameOf } from './command.js';
import { endOfCommand, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import type { CommandEnd, RunStep, StepEnd } from './step.js';

/**
 * Runs the migration tool once. It is never repeated, and a run that was broken off (stopped, killed) is `interrupted`:
 * how much of it the database took is not known.
 */
export const migrate: RunStep<Migrate> = async (spec, context) => {
  const environment = await withOwnOptions(spec.environment, context.target.environmentFile);
  const end = await context.command(releaseCommand(startable(spec.argv), spec, context, { environment }));
  if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
  return brokenOff(end, spec.direction) ?? endOfCommand(end, nameOf(spec.argv), 'migration_failed');
};

function brokenOff(end: CommandEnd, direction: Direction): StepEnd | null {
  if (end.ended !== 'stopped' && end.ended !== 'signalled') return null;
  const which = direction === Direction.DOWN ? 'undoing the migration' : 'the migration';
  const why =
    end.ended === 'stopped' ? `it was stopped (${end.reason.message})` : `it was ended by ${end.signal}`;
  const message = `the outcome of ${which} is not known: ${why}`;
  const hint = 'look at the database with the migration tool, then continue, skip or cancel the deployment';
  return { outcome: Outcome.INTERRUPTED, reason: reason('outcome_unknown', message, { hint }) };
}
