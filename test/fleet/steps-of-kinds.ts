import type { Stop } from './batch.js';

/** A sample of each kind: `hello` and the two of the batch. */
export const KINDS = ['hello', 'loader', 'reports'] as const;
export type Kind = (typeof KINDS)[number];

export const WHAT: Readonly<Record<Kind, string>> = {
  hello: 'an api',
  loader: 'an etl',
  reports: 'a scheduled fraise',
};

/** A step of a deployment, and the gate at which its command can be made to stand still. */
export type Full = readonly [phase: string, step: string, gate?: Stop];

const CODE: readonly Full[] = [
  ['prepare', 'preflight'],
  ['prepare', 'fetch'],
  ['prepare', 'stage'],
];

const BATCH_CODE: readonly Full[] = [...CODE, ['prepare', 'install', 'install']];
const BATCH_RELEASE: readonly Full[] = [
  ['migrate', 'migrate', 'migrate'],
  ['release', 'await_idle'],
  ['release', 'hook_before_activate', 'ready'],
  ['release', 'activate'],
];

/** Every step of a deployment of the sample of each kind. */
export const STEPS: Readonly<Record<Kind, readonly Full[]>> = {
  hello: [
    ...CODE,
    ['prepare', 'install'],
    ['migrate', 'migrate'],
    ['release', 'activate'],
    ['release', 'restart'],
    ['release', 'health'],
    ['prune', 'prune'],
  ],
  loader: [
    ...BATCH_CODE,
    ['prepare', 'script'],
    ...BATCH_RELEASE,
    ['release', 'health', 'health'],
    ['release', 'run', 'run'],
    ['release', 'prove'],
    ['prune', 'prune'],
  ],
  reports: [
    ...BATCH_CODE,
    ['prepare', 'check_units'],
    ...BATCH_RELEASE,
    ['release', 'unit_files'],
    ['release', 'timers'],
    ['release', 'health', 'health'],
    ['prune', 'prune'],
  ],
};
