import { lines } from './table.js';

/** What `agent allow` did; `--json` prints exactly this. */
export interface Allowance {
  readonly policy: string;
  /** By key of the policy; only what was not allowed before. */
  readonly added: Readonly<Partial<Record<string, readonly string[]>>>;
}

/** One line a key of the policy. */
export function allowed({ policy, added }: Allowance): string {
  const entries = Object.entries(added);
  if (entries.length === 0) return lines([`${policy} allows this already`]);
  return lines([
    `${policy} now allows:`,
    ...entries.map(([key, values]) => `  ${key}: ${values?.join(', ') ?? ''}`),
  ]);
}
