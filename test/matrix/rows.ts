/** The fault matrix: what happens, and what must hold afterwards. Tests name the row they show: `(row 2)`. */
export const ROWS: readonly string[] = [
  'The connection is cut at any message, both ways; a connection to the database at any statement.',
  'Agent, controller or database die (kill -9) at any boundary of a step, and inside any step.',
  'The two sides speak different versions of the protocol.',
  'Certificates that are expired, foreign, self-signed, revoked or of another host; tokens that are used, expired or unknown.',
  'An agent reports on the run of another, an illegal move, a gap, output after the end, far too much in one message.',
  'A stream is idle for longer than every timer, and then cut.',
  'Children ignore SIGTERM, keep stdout open, fork away, print 200 MB or binary, exit with 255, die by signal.',
  'The unit of the agent is restarted in the middle of a deployment.',
  'Five deployments fail in a row; the disk is full in any step.',
  'Two deploys at the same instant; a hundred pushes in a burst.',
  'A delivery comes once, twice, a hundred times; the database is slow or away.',
  'A release is broken on the first host, or on a later one.',
  'A certificate is renewed while the agent is killed.',
  'Mistakes of every kind that are to be expected, each with its exact message.',
  'Payloads of every git host: real, cut short, huge, deep, of the wrong types, signed wrongly or with an older secret.',
];

/** Numbers of the rows, from 1 on, that the title of a test names. */
export function rowsOf(title: string): readonly number[] {
  return [...title.matchAll(/\brow (\d+)\b/g)].map(([, number]) => Number(number));
}
