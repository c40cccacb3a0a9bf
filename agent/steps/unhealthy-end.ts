import { failed } from './ends.js';
import type { Look } from './look.js';
import { fullUnitName } from './policy-rules.js';
import { logJournal } from './restart.js';
import type { StepContext, StepEnd } from './step.js';

/** The end of a check that no waiting turns green, with what to mend. */
export function misconfiguredEnd(look: Look): StepEnd {
  const message = `${named(look)} cannot turn green as it is configured: ${look.answer}`;
  const facts = { check: look.failing.join(', '), answer: look.answer };
  return failed(look.code, message, { hint: look.mend, facts, result: { summary: look.answer } });
}

/** The end of a check that did not turn green in its attempts, or (`late`) before its deadline of so many ms. */
export async function neverGreen(
  { attempts, late }: { readonly attempts: number; readonly late: number | null },
  last: Look,
  context: StepContext,
): Promise<StepEnd> {
  const unit = context.target.systemdService;
  if (unit !== '') await logJournal(fullUnitName(unit), context);
  const tries = attempts === 1 ? 'one attempt' : `${attempts} attempts`;
  const within = late === null ? `in ${tries}` : `within ${seconds(late)} (${tries})`;
  const facts: Record<string, string> = {
    check: last.failing.join(', '),
    answer: last.answer,
    attempts: String(attempts),
  };
  if (last.servedVersion !== '') facts['served_version'] = last.servedVersion;
  const message = `${named(last)} did not turn green ${within}; the last answer: ${last.answer}`;
  const hint =
    unit === ''
      ? 'look at what the service printed when it started'
      : `on the host: journalctl -u ${fullUnitName(unit)}`;
  return failed(last.code, message, { hint, facts, result: { summary: last.answer } });
}

function named({ failing }: Look): string {
  const checks = failing.length > 1 ? 'the health checks' : 'the health check';
  return [checks, failing.join(', ')].join(' ').trimEnd();
}

/** For people. */
export function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
