import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Environment } from '../fraises/fraises.js';
import { activateCode, prepareCode, pruneCode } from './code.js';
import { health } from './health.js';
import { hooksAt } from './hooks.js';
import { awaitIdle, awaitIdleToUndo } from './idle.js';
import type { Recipe } from './recipe.js';
import { restart } from './restart.js';
import { stepOf } from './step-of.js';

const LOOK_MS = 60_000;
const PROVE_MS = 30_000;
const MAY_FAIL = { mayFail: true };

/**
 * Code and a script. The script is looked at before anything live is touched; a run of it that is in progress is waited for
 * before its code is replaced; and, if the configuration says so, it is run once the release is live: how it ends is how
 * the deployment ends. The last step calls the release good.
 */
export const etl: Recipe = {
  prepare: (environment, commit, ref, force) => [
    ...prepareCode(environment, commit, ref, force),
    ...look(environment, commit),
  ],
  release: (environment, commit) =>
    [
      ...awaitIdle(environment),
      ...hooksAt(environment, 'before_activate', commit),
      ...activateCode(environment, commit),
      ...restart(environment, commit),
      ...health(environment.healthCheck, commit),
      ...run(environment, commit),
      ...hooksAt(environment, 'after_health', commit),
      stepOf('prove', PROVE_MS, { $case: 'prove', value: { commit } }),
    ].map(keepUnproven),
  undo: (environment, commit) => [
    ...hooksAt(environment, 'on_failure', commit, MAY_FAIL),
    ...awaitIdleToUndo(environment, commit),
    ...activateCode(environment, commit),
    ...restart(environment, commit, MAY_FAIL),
    ...health(environment.healthCheck, commit),
    ...hooksAt(environment, 'on_rollback', commit, MAY_FAIL),
  ],
  prune: pruneCode,
};

function look({ script }: Environment, commit: string): Step[] {
  if (script === null) return [];
  return [stepOf('script', LOOK_MS, { $case: 'script', value: { path: script.path, commit } })];
}

function run({ script }: Environment, commit: string): Step[] {
  if (script?.run !== 'after_deploy') return [];
  const { path, timeoutMs, repeatable } = script;
  return [stepOf('run', timeoutMs, { $case: 'script', value: { path, commit, run: true } }, { repeatable })];
}

/** Healthy is not yet good: the script and the hooks have the last word. */
function keepUnproven(step: Step): Step {
  const { action } = step;
  if (action?.$case !== 'health') return step;
  return { ...step, action: { ...action, value: { ...action.value, keepUnproven: true } } };
}

/** The same steps without the script's own run: a way back on demand puts code back and starts nothing. */
export function withoutRun(steps: readonly Step[]): Step[] {
  return steps.filter(({ action }) => action?.$case !== 'script' || !action.value.run);
}
