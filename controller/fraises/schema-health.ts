import type { z } from 'zod';
import * as word from './schema-words.js';

/** When a release counts as healthy. */
export const healthCheck = word.map({
  url: word.httpUrl,
  attempts: word.wholeNumber(1, 1000).optional().describe('Default 10'),
  retries: word.wholeNumber(1, 1000).optional().meta(word.aliasOf('attempts')),
  delay: word.duration(0).optional().describe('Between two attempts; default 3s'),
  timeout: word.duration(1).optional().describe('Of one attempt; default 5s'),
  expect: word
    .map({
      status: word.wholeNumber(100, 599).optional().describe('Default 200'),
      version_field: word
        .text(/^\S+$/, 'the name of a field')
        .optional()
        .describe('A field of the JSON answer that must hold the deployed commit'),
    })
    .optional(),
  stable_for: word
    .duration(0)
    .optional()
    .describe('Healthy this long without a break before it counts; default 0s'),
});

export type WrittenHealthCheck = z.infer<typeof healthCheck>;
