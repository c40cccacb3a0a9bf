import type { z } from 'zod';
import { error } from './finding.js';
import type { Finding, Path } from './finding.js';

/** Everything in which `value` is not of the schema's shape, each with what is allowed there. */
export function schemaFindings(schema: z.ZodType, value: unknown): readonly Finding[] {
  const parsed = schema.safeParse(value, { error: allowed });
  if (parsed.success) return [];
  return once(parsed.error.issues.flatMap((issue) => fromIssue(issue, [], value)));
}

/** A value that is wrong in two ways of its type is said to be wrong once. */
function once(findings: readonly Finding[]): readonly Finding[] {
  const unique = new Map(findings.map((one) => [JSON.stringify([one.path, one.message]), one]));
  return [...unique.values()];
}

function fromIssue(issue: z.core.$ZodIssue, above: Path, value: unknown): readonly Finding[] {
  const path = [...above, ...(issue.path as Path)];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, i) => error([...path, key], messages[i] as string, 'key'));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => error(path, inner.message, 'key'));
  }
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) => !branch.some(isOfAnotherKind));
    if (meant !== undefined) return meant.flatMap((inner) => fromIssue(inner, path, value));
  }
  return [error(path, `${absence(path, value)}${issue.message}`)];
}

function isOfAnotherKind(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0;
}

function absence(path: Path, top: unknown): string {
  const found = path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown>)[part], top);
  if (found === undefined) return 'is missing; ';
  return found === null ? 'is empty; ' : '';
}

/** What to say where the schema itself says nothing. */
function allowed(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'too_small') return 'must not be empty';
  if (issue.code !== 'invalid_type') return undefined;
  return KINDS.get(issue.expected)?.(issue.input) ?? 'must be a map of keys';
}

const KINDS: ReadonlyMap<string, (input: unknown) => string> = new Map([
  ['string', textOf],
  ['array', () => 'must be a list'],
  ['boolean', () => 'must be true or false'],
]);

function textOf(input: unknown): string {
  return typeof input === 'number' || typeof input === 'boolean'
    ? 'must be text: put it in quotes'
    : 'must be text';
}
