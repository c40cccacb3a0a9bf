import { z } from 'zod';
import { HOOK_POINTS } from './fraises.js';
import type { HookPoint } from './fraises.js';
import * as word from './schema-words.js';

const variables = z
  .record(
    word.text(
      /^(?!FRAISIER_)[A-Za-z_][A-Za-z0-9_]*$/,
      'the name of a variable, and not FRAISIER_…, which Fraisier sets',
    ),
    word.argument,
  )
  .describe(
    'Variables beside those of the environment_file; kept with every version of this file, so no secrets',
  );

const hook = word.map({
  command: word.commandLine.describe('A list is run as it stands, a string by /bin/sh'),
  user: word.unixUser.optional().describe('Who runs it; default: the user of the environment'),
  timeout: word.duration(1).optional().describe('Default 1m'),
  environment: variables.optional(),
  repeatable: z
    .boolean()
    .optional()
    .describe('May be run again when its outcome is not known; default false'),
});

const SEVERAL = 'must be one command as a list of words, or a list of hooks: each a list of words or a map';

/** One command (a list of words, a string for a shell, or a map that says more), or a list of lists and maps. */
const hooksOfPoint = z.union(
  [
    word.argument.min(1),
    hook,
    z
      .array(z.union([word.argument, hook, word.argv]))
      .min(1)
      .superRefine((items, context) => {
        const texts = items.filter((item) => typeof item === 'string').length;
        if (texts > 0 && texts < items.length) context.addIssue({ code: 'custom', message: SEVERAL });
      }),
  ],
  {
    error:
      'must be a list of words (run without a shell), a string (run by /bin/sh), a map, or a list of hooks',
  },
);

const SAID: Readonly<Record<HookPoint, string>> = {
  before_deploy: 'On every host, after it was looked at and before anything is fetched; in app_path',
  before_migrate: 'On the migrating host, before the migration',
  after_migrate: 'On the migrating host, when the migration is applied',
  before_activate: 'On every host, before the release is made the live one',
  before_restart: 'On every host, between making it live and the restart; also when a release is undone',
  after_restart: 'On every host, right after the restart; also when a release is undone',
  after_health: 'On every host, when the release is healthy',
  on_failure: 'On a host whose release failed or is taken back, before anything is put back',
  on_rollback: 'On a host that is back at its previous release, when that is healthy',
};

type Points = Record<HookPoint, z.ZodOptional<typeof hooksOfPoint>>;

const points = Object.fromEntries(
  HOOK_POINTS.map((point) => [point, hooksOfPoint.optional().describe(SAID[point])]),
) as Points;

/** What the user hooks in between the steps of a deployment. */
export const hooks = word.map({
  ...points,
  after_deploy: hooksOfPoint.optional().meta(word.aliasOf('after_health')),
  after_rollback: hooksOfPoint.optional().meta(word.aliasOf('on_rollback')),
});

export type WrittenHooks = z.infer<typeof hooks>;
export type WrittenHook = z.infer<typeof hook>;
export type WrittenPoint = z.infer<typeof hooksOfPoint>;
