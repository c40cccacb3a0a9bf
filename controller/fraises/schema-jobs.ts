import { z } from 'zod';
import * as word from './schema-words.js';

/** What kinds of fraise besides `api` are made of: a script, or timers and what they start. */

const timerUnit = word.text(
  /^[A-Za-z0-9_:\\][A-Za-z0-9_.:@\\-]{0,248}\.timer$/,
  'the name of a systemd timer such as reports-daily.timer',
);
const WHERE_FROM =
  'A file of the repository to install it from; default: what units holds by its name, or else the host';

const job = word.map({
  description: word.plainText.optional(),
  systemd_timer: timerUnit.describe('Enabled and started; says when the job runs'),
  systemd_service: word.serviceUnit
    .optional()
    .describe('What the timer starts; default: the service of its name'),
  timer_file: word.relativePath.optional().describe(WHERE_FROM),
  service_file: word.relativePath.optional().describe(WHERE_FROM),
});

const jobs = z
  .record(word.name, job)
  .refine((all) => Object.keys(all).length > 0, { error: 'must not be empty' });

const wait = word.duration(0).optional().describe('Default: half of timeout, at most 5m');
const past = word
  .oneOf(['fail', 'continue', 'stop'])
  .optional()
  .describe('Past that: fail the deployment (default), continue beside it, or stop what runs');

/** Its key is the file's word, `then`, which no object of the program should have: it may be taken for a promise. */
const keys = new Map<string, typeof wait | typeof past>([
  ['wait', wait],
  ['then', past],
]);
const whileRunning = word.map(Object.fromEntries(keys) as { wait: typeof wait; then: typeof past });

export const kindSettings = {
  script_path: word.relativePath.optional().describe('Of an etl: the script, below root'),
  run: word
    .oneOf(['verify', 'after_deploy'])
    .optional()
    .describe(
      'Of an etl: only look whether the script is there and parses (default), or run it once it is live',
    ),
  run_timeout: word.duration(1).optional().describe('Of the script; default: the timeout of the deployment'),
  run_repeatable: z
    .boolean()
    .optional()
    .describe('The script may be run again when its outcome is not known; default false'),
  while_running: whileRunning
    .optional()
    .describe('When the script or a job is at work as its code is to be replaced'),
  jobs: jobs.optional().describe('Of a scheduled fraise: each a timer and what it starts'),
  systemd_timer: timerUnit
    .optional()
    .describe('Of a scheduled fraise with one job, with systemd_service beside it'),
  units: word.relativePath
    .optional()
    .describe('Folder of the repository with unit files of the jobs, by the names of the units'),
};

export type WrittenJob = z.infer<typeof job>;
