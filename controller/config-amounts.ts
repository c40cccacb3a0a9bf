import { FraisierError } from '../proto/error-codes.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** What a setting says, and how it is called in a complaint. */
export interface Setting {
  readonly name: string;
  readonly text: string | undefined;
}

/** A number of bytes, like `25MB` or `1GiB`, from 1 kB on. Throws FraisierError `usage`. */
export function bytesOf({ name, text }: Setting, otherwise: number): number {
  if (text === undefined) return otherwise;
  const [, number, unit] = /^(\d{1,9})\s*(kB|[KMG]iB|[MG]B|B)$/.exec(text.trim()) ?? [];
  const bytes = Number(number) * (UNIT_BYTES[unit ?? ''] ?? Number.NaN);
  if (bytes >= 1000) return bytes;
  throw wrong(name, text, 'a size like 25MB or 1GB');
}

/** A length of time in milliseconds, like `30d`; from a second on. Throws FraisierError `usage`. */
export function durationOf({ name, text }: Setting, otherwise: number): number {
  if (text === undefined) return otherwise;
  const [, number, unit] = /^(\d{1,6})\s*([smhd])$/.exec(text.trim()) ?? [];
  const ms = Number(number) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (ms >= 1000) return ms;
  throw wrong(name, text, 'a length of time like 12h or 30d');
}

/** As `of`, but `forever` is said by null. */
export function orForever<T>(
  of: (setting: Setting, otherwise: T) => T,
  setting: Setting,
  otherwise: T,
): T | null {
  return setting.text?.trim() === 'forever' ? null : of(setting, otherwise);
}

/** A number from 1 to a million. Throws FraisierError `usage`. */
export function countOf({ name, text }: Setting, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (/^\d{1,7}$/.test(text) && count >= 1 && count <= 1_000_000) return count;
  throw wrong(name, text, 'a number from 1 to 1000000');
}

function wrong(name: string, text: string, wanted: string): FraisierError {
  return new FraisierError('usage', `${name} is "${text}": wanted is ${wanted}`);
}
