import { z } from 'zod';
import { DURATION, durationMs, formatDuration, LONGEST_MS } from './duration.js';
import { didYouMean } from './nearest.js';
import { repositoryFault } from './repository-fault.js';

/** The words that the schema of `fraises.yaml` is written in. Every message finishes "…: must be". */

/** Text of a pattern; `allowed` says what that is in words. */
export function text(pattern: RegExp, allowed: string) {
  return z.string().regex(pattern, { error: `must be ${allowed}` });
}

export const plainText = z.string();
export const name = text(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'a name: letters, digits, - and _');
export const hostName = text(
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/,
  'the name of a host: letters, digits, - _ and .',
);
export const labelName = text(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/, 'a label: letters, digits, - _ . and /');
export const labelValue = text(
  /^[^\s,=]{1,63}$/,
  'the value of a label: up to 63 characters without spaces, , and =',
);
export const unixUser = text(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'the name of a user on the host');

/** An exact branch: no pattern, nothing that git would read as an option or a revision. */
export const branchName = text(
  /^(?!-)(?!.*\.\.)[^\s~^:?*[\\\p{Cc}]{1,250}$/u,
  'the exact name of a branch; patterns are not possible here',
);

/** A branch, or a pattern of branches: `*` is anything but a slash, `**` anything, `?` one character. */
export const branchPattern = text(
  /^(?!-)(?!.*\.\.)[^\s~^:[\\\p{Cc}]{1,250}$/u,
  'the name of a branch, or a pattern such as "release/*"',
);

export const absolutePath = text(
  /^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+)+\/?$/u,
  'an absolute path on the host, without . and ..',
);
export const relativePath = text(
  /^(?:(?!\.{1,2}\/)[^/\p{Cc}]+\/)*(?!\.{1,2}\/?$)[^/\p{Cc}]+\/?$/u,
  'a path inside the release, without a leading /, . and ..',
);

/** As systemd takes it; without a suffix it is a service. */
export const serviceUnit = text(
  /^(?!.*\.(?:timer|socket|target|path|mount|automount|swap|slice|scope|device)$)[A-Za-z0-9_:\\][A-Za-z0-9_.:@\\-]{0,254}$/,
  'the name of a systemd service such as checkout.service',
);

/** With its suffix: a bare name would be a service. */
export const socketUnit = text(
  /^[A-Za-z0-9_:\\][A-Za-z0-9_.:@\\-]{0,247}\.socket$/,
  'the name of a systemd socket such as checkout.socket',
);

export const httpUrl = text(
  /^https?:\/\/[^\s/?#@]+(?:[/?#][^\s]*)?$/i,
  'an address that begins with http:// or https://, without user and password',
);

const DURATION_ALLOWED = `must be a duration such as 500ms, 30s, 10m or 2h (a bare number is seconds), at most ${formatDuration(LONGEST_MS)}`;

/** `127.0.0.1:5432`, `db.internal:5432` or `[::1]:5432`. */
export const hostAndPort = text(
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/,
  'host:port such as 127.0.0.1:5432',
);

/** A duration as written; `durationMs` makes it milliseconds. */
export function duration(leastMs: 0 | 1) {
  const allowed = leastMs === 0 ? DURATION_ALLOWED : `${DURATION_ALLOWED}, longer than 0`;
  const withinLimits = (written: string | number): boolean => {
    const ms = durationMs(written);
    return ms >= leastMs && ms <= LONGEST_MS;
  };
  const written = [
    z.string().regex(DURATION, { error: allowed }),
    z.number().min(0, { error: allowed }),
  ] as const;
  return z.union(written, { error: allowed }).refine(withinLimits, { error: allowed });
}

/** A whole number, both limits included. */
export function wholeNumber(least: number, most: number) {
  const allowed = `must be a whole number from ${least} to ${most}`;
  return z.int({ error: allowed }).min(least, { error: allowed }).max(most, { error: allowed });
}

/** One of `values`; `notHere` explains words that mean something but do not work in this version. */
export function oneOf<const T extends readonly string[]>(
  values: T,
  notHere: Readonly<Record<string, string>> = {},
) {
  return z.enum(values, {
    error: ({ input }) => {
      const known = typeof input === 'string' && Object.hasOwn(notHere, input) ? notHere[input] : undefined;
      return known ?? `must be one of ${values.join(', ')}${didYouMean(input, values)}`;
    },
  });
}

/** One word of a command line, or the value of a variable. */
export const argument = z
  .string()
  .refine((word) => !word.includes('\0'), { error: 'must not contain a NUL' });

/** Run as it stands, without a shell. */
export const argv = z.array(argument).min(1);

/** A list is run as it stands, a string by a shell. */
export const commandLine = z.union([argv, argument.min(1)], {
  error: 'must be a list of words (run without a shell) or a string (run by /bin/sh)',
});

export const repository = z.string().superRefine((written, context) => {
  const fault = repositoryFault(written);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

/** A map with these keys only. An unknown key gets one line of the message each, in the order of `issue.keys`. */
export function map<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => unknownKey(key, known)).join('\n')
        : undefined,
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = didYouMean(key, known);
  return meant === '' ? `unknown key; known here: ${known.join(', ')}` : `unknown key${meant}`;
}

/** Said of an older name of a key. */
export const aliasOf = (key: string) => ({ description: `The original's name for ${key}`, deprecated: true });

/** What a word or key means that exists elsewhere and does nothing here. */
export const NOT_YET = 'is not available in this version';

export const userCommand = map({
  command: commandLine.describe('A list is run as it stands, a string by /bin/sh'),
  user: unixUser.optional().describe('Who runs it; default: the user of the environment'),
  timeout: duration(1).optional(),
});
