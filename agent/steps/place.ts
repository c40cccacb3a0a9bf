import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { headOf } from './checkout.js';
import { isInPlace, layoutOf, liveRelease, releaseFolder } from './release-layout.js';
import type { StepContext } from './step.js';

/** What is needed to find what belongs to a target on this host. */
export interface OnHost {
  readonly target: Target;
  readonly stateFolder: string;
}

/**
 * Where releases, their marks and the link to the live one are kept: at `app_path`; of a checkout that is deployed in
 * place, in the agent's state folder. For every function of release-layout.ts.
 */
export function placeOf({ target, stateFolder }: OnHost): Pick<Target, 'appPath'> {
  if (!isInPlace(target)) return target;
  const { app } = layoutOf(target);
  const name = createHash('sha256').update(app).digest('hex').slice(0, 32);
  return { appPath: join(stateFolder, 'in-place', name) };
}

/** The commit that is live; empty: none. Of a checkout it is what is checked out there, whoever did it. */
export async function liveCommit(host: OnHost): Promise<string> {
  if (!isInPlace(host.target)) return liveRelease(host.target);
  const head = await headOf(layoutOf(host.target).app);
  return head === '' ? liveRelease(placeOf(host)) : head;
}

/** Of a checkout that is deployed in place, `release` and `undo` work at `app_path`; the other phases beside it. */
export function treeOf(context: OnHost & Pick<StepContext, 'phase'>, commit: string): string {
  const { target, phase } = context;
  const live = phase === Phase.RELEASE || phase === Phase.UNDO;
  return isInPlace(target) && live ? layoutOf(target).app : releaseFolder(placeOf(context), commit);
}

/** Where the commands of the target run in a tree: its top, or the sub-folder `root`. */
export function workFolder(tree: string, { root }: Pick<Target, 'root'>): string {
  return root === '' ? tree : join(tree, root);
}
