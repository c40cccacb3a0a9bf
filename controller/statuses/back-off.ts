/** Attempts in all; with the waits between them that is about a day. */
export const MOST_ATTEMPTS = 14;

const FIRST_MS = 30_000;
const LONGEST_MS = 4 * 3_600_000;

/**
 * How long to wait after the given attempt (from 1): 30 s, doubling up to 4 h, a quarter more or less by `random` (0–1), so
 * that what failed together does not come back together. Null after the last one.
 */
export function waitAfter(attempt: number, random: number): number | null {
  if (attempt >= MOST_ATTEMPTS) return null;
  const ms = Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS);
  return Math.round(ms * (0.75 + random / 2));
}
