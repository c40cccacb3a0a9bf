import { bytesOf, durationOf, orForever, type Setting } from './config-amounts.js';
import type { Keeping } from './db/retention.js';

const DAY_MS = 86_400_000;

/** How long what is kept, by `FRAISIER_KEEP_…`; `forever` keeps it for ever. Throws FraisierError `usage`. */
export function readKeeping(environment: Readonly<Record<string, string | undefined>>): Keeping {
  const setting = (name: string): Setting => ({ name, text: environment[name] || undefined });
  const age = (name: string, days: number): number | null =>
    orForever(durationOf, setting(name), days * DAY_MS);
  return {
    bodiesMs: age('FRAISIER_KEEP_BODIES', 30),
    bodiesBytes: orForever(bytesOf, setting('FRAISIER_KEEP_BODIES_SIZE'), 1_000_000_000),
    deliveriesMs: age('FRAISIER_KEEP_DELIVERIES', 180),
    refusedMs: age('FRAISIER_KEEP_REFUSED', 7),
    outputMs: age('FRAISIER_KEEP_OUTPUT', 90),
    questionsMs: age('FRAISIER_KEEP_QUESTIONS', 1),
    notificationsMs: age('FRAISIER_KEEP_NOTIFICATIONS', 7),
  };
}
