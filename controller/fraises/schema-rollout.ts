import { z } from 'zod';
import * as word from './schema-words.js';

const hostCount = z
  .int({ error: ({ input }) => hostCountFault(input) })
  .min(1, { error: ({ input }) => hostCountFault(input) })
  .max(10_000, { error: ({ input }) => hostCountFault(input) });

function hostCountFault(input: unknown): string {
  const percentage = typeof input === 'string' && input.endsWith('%');
  return percentage
    ? `a percentage ${word.NOT_YET}; give a number of hosts`
    : 'must be a number of hosts, 1 or more';
}

/** How a release goes over the hosts. */
export const rollout = word.map({
  strategy: word.oneOf(['rolling', 'all_at_once']).optional().describe('Default rolling'),
  batch: hostCount.optional().describe('Hosts released at once; default 1'),
  canary: z
    .literal(0, { error: `a canary ${word.NOT_YET}; leave it out, or 0` })
    .optional()
    .describe('Only 0 in this version'),
  bake: word.duration(0).optional().describe('Wait after each batch; default 0s'),
  max_failures: z
    .literal(0, { error: `allowing failures ${word.NOT_YET}; leave it out, or 0` })
    .optional()
    .describe('Only 0 in this version'),
  on_failure: word.oneOf(['rollback', 'pause', 'stop']).optional().describe('Default rollback'),
});

export type WrittenRollout = z.infer<typeof rollout>;
