import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { stepOf } from './step-of.js';

const PREFLIGHT_MS = 60_000;
const FETCH_MS = 10 * 60_000;
const STAGE_MS = 5 * 60_000;
const ACTIVATE_MS = 60_000;
const PRUNE_MS = 5 * 60_000;
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Looks at the host, brings the commit there and makes it ready beside the live release. */
export function prepareCode(environment: Environment, commit: string, ref: string): Step[] {
  return [
    stepOf('preflight', PREFLIGHT_MS, { $case: 'preflight', value: { minFreeBytes: MIN_FREE_BYTES } }),
    stepOf('fetch', FETCH_MS, {
      $case: 'fetch',
      value: { repository: environment.repository ?? '', commit, ref, attempts: 3, delayMs: 2000 },
    }),
    stepOf('stage', STAGE_MS, { $case: 'stage', value: { commit } }),
    ...install(environment, commit),
  ];
}

function install({ install: wanted }: Environment, commit: string): Step[] {
  if (wanted === null) return [];
  return [stepOf('install', wanted.timeoutMs, { $case: 'command', value: commandOf(wanted, commit) })];
}

/** Makes the staged release the live one. */
export function activateCode(commit: string): Step[] {
  return [stepOf('activate', ACTIVATE_MS, { $case: 'activate', value: { commit } })];
}

/** Removes what is too old to be gone back to. */
export function pruneCode(environment: Environment, commit: string): Step[] {
  const value = { keep: environment.keepReleases, keepCommits: [commit] };
  return [stepOf('prune', PRUNE_MS, { $case: 'prune', value })];
}
