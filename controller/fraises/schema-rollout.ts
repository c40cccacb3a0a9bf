import { z } from 'zod';
import * as word from './schema-words.js';

const error = 'must be a number of hosts, 1 or more, or a percentage of all of them such as 25%';

const batchSize = z.union(
  [
    z.int({ error }).min(1, { error }).max(10_000, { error }),
    z.string().regex(/^(?:100|[1-9]\d?)%$/, { error }),
  ],
  { error },
);
const batch = z.union([batchSize, z.array(batchSize).min(1)], { error: `${error}, or a list of these` });

/** How a release goes over the hosts. */
export const rollout = word.map({
  strategy: word.oneOf(['rolling', 'all_at_once']).optional().describe('Default rolling'),
  batch: batch
    .optional()
    .describe(
      'Hosts released at once: how many, or how much of all, or a list of these, one a batch; default 1',
    ),
  canary: word.wholeNumber(0, 10_000).optional().describe('Hosts released before all others; default 0'),
  bake: word.duration(0).optional().describe('Wait after each batch; default 0s'),
  max_failures: z
    .literal(0, { error: `allowing failures ${word.NOT_YET}; leave it out, or 0` })
    .optional()
    .describe('Only 0 in this version'),
  on_failure: word.oneOf(['rollback', 'pause', 'stop']).optional().describe('Default rollback'),
});

export type WrittenRollout = z.infer<typeof rollout>;
