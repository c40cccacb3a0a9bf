import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment, HealthCheck } from '../fraises/fraises.js';
import { activateCode, prepareCode, pruneCode } from './code.js';
import { health } from './health.js';
import { hooksAt } from './hooks.js';
import { awaitIdle, awaitIdleToUndo } from './idle.js';
import type { Recipe } from './recipe.js';
import { stepOf } from './step-of.js';

const UNITS_MS = 3 * 60_000;
const LOOK_MS = 10_000;
const MAY_FAIL = { mayFail: true };

/**
 * Timers and what they start. Every unit is known to be there before anything is moved; jobs that run are waited for, not
 * killed; then the code, the unit files and the timers are those of the release, and systemd itself says so.
 */
export const scheduled: Recipe = {
  prepare: (environment, commit, ref, force) => [
    ...prepareCode(environment, commit, ref, force),
    stepOf('check_units', UNITS_MS, { $case: 'unitFiles', value: { commit, check: true } }),
  ],

  release: (environment, commit) => [
    ...awaitIdle(environment),
    ...hooksAt(environment, 'before_activate', commit),
    ...activateCode(environment, commit),
    ...units(commit, false),
    ...health(withTimers(environment), commit),
    ...hooksAt(environment, 'after_health', commit),
  ],
  undo: (environment, commit) => [
    ...hooksAt(environment, 'on_failure', commit, MAY_FAIL),
    ...awaitIdleToUndo(environment, commit),
    ...activateCode(environment, commit),
    ...units(commit, true),
    ...health(withTimers(environment), commit),
    ...hooksAt(environment, 'on_rollback', commit, MAY_FAIL),
  ],
  prune: pruneCode,
};

function units(commit: string, restore: boolean): Step[] {
  return [
    stepOf('unit_files', UNITS_MS, { $case: 'unitFiles', value: { commit, restore } }),
    stepOf('timers', UNITS_MS, { $case: 'timers', value: {} }),
  ];
}

/** Its timers are looked at in any case, beside what the configuration names. */
function withTimers({ healthCheck }: Environment): HealthCheck {
  const looked = healthCheck ?? JUST_TIMERS;
  if (looked.checks.some(({ by }) => by === 'timers')) return looked;
  return { ...looked, checks: [...looked.checks, { by: 'timers', timeoutMs: LOOK_MS }] };
}

const JUST_TIMERS: HealthCheck = {
  checks: [],
  attempts: 3,
  delayMs: 3000,
  backoff: 1,
  maxDelayMs: 3000,
  startGraceMs: 0,
  stableForMs: 0,
  deadlineMs: null,
};
