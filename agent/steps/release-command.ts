import { treeOf, workFolder } from './place.js';
import type { StepCommand, StepContext } from './step.js';

/** A command of the plan in the tree of a release: its folder, user and environment. */
export function releaseCommand(
  argv: readonly string[],
  spec: { readonly user: string; readonly commit: string },
  context: StepContext,
  more: { readonly capture?: boolean; readonly environment?: Readonly<Record<string, string>> } = {},
): StepCommand {
  const { target } = context;
  const release = treeOf(context, spec.commit);
  const user = spec.user === '' ? target.user : spec.user;
  return {
    argv,
    cwd: workFolder(release, target),
    environment: {
      FRAISIER_FRAISE: target.fraise,
      FRAISIER_ENVIRONMENT: target.environment,
      FRAISIER_COMMIT: spec.commit,
      FRAISIER_RELEASE: release,
      ...more.environment,
    },
    ...(user === '' ? {} : { user }),
    ...(target.environmentFile === '' ? {} : { environmentFile: target.environmentFile }),
    ...(more.capture === true ? { capture: true } : {}),
  };
}
