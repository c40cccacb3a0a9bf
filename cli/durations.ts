import { Errors } from '@oclif/core';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30s`, `10m`, `2h` or `7d`. Throws a usage error for anything else. */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) {
    throw new Errors.CLIError(
      `"${text}" is no duration: wanted is a number with a unit, like 30s, 10m, 2h or 7d`,
    );
  }
  return Number(number) * (UNIT_MS[unit] ?? 0);
}
