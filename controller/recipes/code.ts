import { Command, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { commandOf } from './command-line.js';
import { hooksAt } from './hooks.js';
import { stepOf } from './step-of.js';

const PREFLIGHT_MS = 60_000;
const FETCH_MS = 10 * 60_000;
const STAGE_MS = 5 * 60_000;
const ACTIVATE_MS = 60_000;
const PRUNE_MS = 5 * 60_000;
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Looks at the host, brings the commit there and makes it ready beside the live release; `force`: whatever was done before. */
export function prepareCode(environment: Environment, commit: string, ref: string, force: boolean): Step[] {
  return [
    stepOf('preflight', PREFLIGHT_MS, { $case: 'preflight', value: { minFreeBytes: MIN_FREE_BYTES } }),
    ...hooksAt(environment, 'before_deploy', ''),
    stepOf('fetch', FETCH_MS, {
      $case: 'fetch',
      value: {
        repository: environment.repository ?? '',
        ...{ commit, ref, attempts: 3, delayMs: 2000 },
        filter: environment.cloneFilter ?? '',
        submodules: environment.submodules,
      },
    }),
    stepOf('stage', STAGE_MS, { $case: 'stage', value: { commit, submodules: environment.submodules } }),
    ...install(environment, commit, force),
  ];
}

/** Of what it did in a release once, nothing is left to do: a release is staged once, and stays as it is. */
function install({ install: wanted }: Environment, commit: string, again: boolean): Step[] {
  if (wanted === null) return [];
  const value = Command.fromPartial({ ...commandOf(wanted, commit), oncePerRelease: !again });
  return [stepOf('install', wanted.timeoutMs, { $case: 'command', value })];
}

/**
 * Makes the staged release the live one. A checkout that is updated in place is installed there each time: what an
 * earlier commit installed belongs to that one.
 */
export function activateCode(environment: Environment, commit: string): Step[] {
  const activate = stepOf('activate', ACTIVATE_MS, { $case: 'activate', value: { commit } });
  return environment.layout === 'in_place' ? [activate, ...install(environment, commit, true)] : [activate];
}

/** Removes what is too old to be gone back to. */
export function pruneCode(environment: Environment, commit: string): Step[] {
  const value = { keep: environment.keepReleases, keepCommits: [commit] };
  return [stepOf('prune', PRUNE_MS, { $case: 'prune', value })];
}
