import { z } from 'zod';
import * as word from './schema-words.js';

const error = 'must be a number of hosts, 1 or more, or a percentage of all of them such as 25%';
const countError =
  'must be a number of hosts, 0 or more, or a percentage of all of them below 100%, such as 25%';

const batchSize = z.union(
  [
    z.int({ error }).min(1, { error }).max(10_000, { error }),
    z.string().regex(/^(?:100|[1-9]\d?)%$/, { error }),
  ],
  { error },
);
const batch = z.union([batchSize, z.array(batchSize).min(1)], { error: `${error}, or a list of these` });

/** So many hosts, or so much of all of them; all of them would leave nothing to do. */
const someHosts = z.union(
  [
    z.int({ error: countError }).min(0, { error: countError }).max(10_000, { error: countError }),
    z.string().regex(/^(?:0|[1-9]\d?)%$/, { error: countError }),
  ],
  { error: countError },
);

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
  zones: z
    .array(word.labelValue)
    .min(1)
    .optional()
    .describe('Values of the label zone in the order of release; default: by name'),
  max_failures: someHosts
    .optional()
    .describe('Hosts that may fail before the rollout stops: how many, or how much of all; default 0'),
  min_healthy: someHosts
    .optional()
    .describe('Hosts that must stay healthy: how many, or how much of all; default 0'),
  progress_deadline: word
    .duration(1)
    .optional()
    .describe('Longest time from one success on a host to the next; default: none but timeout'),
  catch_up: z
    .boolean()
    .optional()
    .describe('Whether a host that was left out is brought up to date when it returns; default false'),
  on_failure: word.oneOf(['rollback', 'pause', 'stop']).optional().describe('Default rollback'),
});

export type WrittenRollout = z.infer<typeof rollout>;
