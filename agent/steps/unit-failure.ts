import { failed, lastLine } from './ends.js';
import type { StepContext, StepEnd } from './step.js';

const JOURNAL_LINES = 30;
/** Of the unit's last lines, what a reason carries. */
const QUOTED_LINES = 10;
const QUOTED_CHARACTERS = 2000;

/** The end of a step that needs systemd on a host that has none. */
export function noSystemd(unit: string): StepEnd {
  return failed('restart_failed', `${unit} cannot be controlled: there is no systemd on this host`, {
    hint: 'use `restart: {command: […]}` in the configuration',
  });
}

/** The end of a restart that left the unit broken; `what` is said of it: its last lines are logged and quoted. */
export async function unitFailed(unit: string, what: string, context: StepContext): Promise<StepEnd> {
  const lines = await lastLinesOf(unit, context);
  const said = lastWords(lines);
  const quoted = lines.split('\n').slice(-QUOTED_LINES).join('\n').slice(-QUOTED_CHARACTERS);
  const facts: Record<string, string> = said === '' ? { unit } : { unit, output: said, journal: quoted };
  const message = said === '' ? `${unit} ${what}` : `${unit} ${what}; its last words: ${said}`;
  return failed('restart_failed', message, { hint: `on the host: journalctl -u ${unit}`, facts });
}

/** Puts the unit's last lines into the step's log and returns its own last words, or else what systemd said of it. */
export async function logJournal(unit: string, context: StepContext): Promise<string> {
  return lastWords(await lastLinesOf(unit, context));
}

async function lastLinesOf(unit: string, context: StepContext): Promise<string> {
  const lines = (await context.systemd?.journalTail(unit, JOURNAL_LINES))?.trimEnd() ?? '';
  if (lines !== '') await context.log(`the last lines of ${unit}:\n${lines}`);
  return lines;
}

function lastWords(lines: string): string {
  const own = lines.split('\n').filter((line) => !line.includes(' systemd[') && !line.startsWith('-- '));
  return lastLine(own.join('\n')) || lastLine(lines);
}
