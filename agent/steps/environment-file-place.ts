import { reason } from '../../proto/error-codes.js';
import type { Reason, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { realPath } from './real-path.js';
import { isInPlace, layoutOf } from './release-layout.js';

/**
 * Refuses an `environment_file` that comes with a release: its commit would say what the commands of the host run with.
 * Null when it is the host's own. Follows links. A checkout that is deployed in place may hold one: it is not tracked there.
 */
export async function environmentOfCommit(target: Target): Promise<Reason | null> {
  const { environmentFile: file } = target;
  if (file === '' || isInPlace(target)) return null;
  const { app, releases, current } = layoutOf(target);
  const trees = [releases, current, await realPath(releases)];
  const places = [file, await realPath(file)];
  if (!places.some((place) => trees.some((tree) => place.startsWith(`${tree}/`)))) return null;
  const message = `the environment_file ${file} lies in the tree of a release, so a commit would say what commands run with`;
  return reason('policy_refused', message, {
    hint: `move it to a folder that no release brings, such as /etc/${target.fraise}/env or ${app}/shared, and name that in fraises.yaml`,
    facts: { environment_file: file, app_path: app },
  });
}
