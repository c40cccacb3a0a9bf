import type { Restart } from '../../proto/gen/fraisier/v1/plan.js';
import { argvOf } from './command-line.js';
import { nameOf } from './command.js';
import { endOfCommand, failed, lastLine, succeeded } from './ends.js';
import { fullUnitName } from './policy-rules.js';
import { releaseCommand } from './release-command.js';
import type { CommandEnd, RunStep, StepContext, StepEnd } from './step.js';

const JOURNAL_LINES = 30;

/** Restarts the unit, or runs the command that stands for it. */
export const restart: RunStep<Restart> = async ({ how }, context) => {
  switch (how?.$case) {
    case 'systemdService':
      return restartUnit(fullUnitName(how.value), context);
    case 'command': {
      const argv = argvOf(how.value);
      const end = await context.command(releaseCommand(argv, how.value, context));
      if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
      return endOfCommand(end, nameOf(argv), 'restart_failed');
    }
    case undefined:
      return failed('restart_failed', 'the plan does not say how to restart');
  }
};

async function restartUnit(unit: string, context: StepContext): Promise<StepEnd> {
  const { systemd } = context;
  if (systemd === null) return noSystemd(unit);
  const end = await systemd.restart(unit, context.signal);
  const state = isDone(end) ? (await systemd.show(unit, ['ActiveState']))['ActiveState'] : '';
  if (isDone(end) && state !== 'failed') return succeeded({ summary: `${unit} is ${state}` });
  if (end.ended !== 'exited') return endOfCommand(end, `restarting ${unit}`, 'restart_failed');
  if (end.output !== '') await context.log(end.output.trimEnd());
  return notStarted(unit, await logJournal(unit, context));
}

function isDone(end: CommandEnd): boolean {
  return end.ended === 'exited' && end.exitCode === 0;
}

/** The end of a step that needs systemd on a host that has none. */
export function noSystemd(unit: string): StepEnd {
  return failed('restart_failed', `${unit} cannot be controlled: there is no systemd on this host`, {
    hint: 'use `restart: {command: […]}` in the configuration',
  });
}

function notStarted(unit: string, said: string): StepEnd {
  const facts: Record<string, string> = said === '' ? { unit } : { unit, output: said };
  const message = said === '' ? `${unit} did not start` : `${unit} did not start; its last words: ${said}`;
  return failed('restart_failed', message, { hint: `on the host: journalctl -u ${unit}`, facts });
}

/** Puts the unit's last lines into the step's log and returns its own last words, or else what systemd said of it. */
export async function logJournal(unit: string, context: StepContext): Promise<string> {
  const lines = (await context.systemd?.journalTail(unit, JOURNAL_LINES))?.trimEnd() ?? '';
  if (lines !== '') await context.log(`the last lines of ${unit}:\n${lines}`);
  const own = lines.split('\n').filter((line) => !line.includes(' systemd[') && !line.startsWith('-- '));
  return lastLine(own.join('\n')) || lastLine(lines);
}
