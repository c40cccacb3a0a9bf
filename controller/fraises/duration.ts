/** `500ms`, `30s`, `10m`, `2h`. */
export const DURATION = /^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h)$/;

export const LONGEST_MS = 7 * 24 * 3_600_000;

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a duration that matches `DURATION`; a bare number is seconds, as in the original. */
export function durationMs(written: string | number): number {
  if (typeof written === 'number') return Math.round(written * 1000);
  const unit = written.replace(/[\d.]+/, '') as keyof typeof UNIT_MS;
  return Math.round(Number.parseFloat(written) * UNIT_MS[unit]);
}

/** The shortest exact way to write it: `90s`, `10m`, `1500ms`. */
export function formatDuration(ms: number): string {
  const unit = (['h', 'm', 's'] as const).find((name) => ms > 0 && ms % UNIT_MS[name] === 0) ?? 'ms';
  return `${ms / UNIT_MS[unit]}${unit}`;
}
