import type { LiveFraise } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { planOf } from './runs-of-deployment.js';

/** The list of what is live on a run's host once the run has ended; the very same list when nothing of it changes. */
export function liveAfterRun(
  run: RunRow,
  deployment: DeploymentRow,
  live: readonly LiveFraise[],
  { release, origin }: { readonly release: string; readonly origin: string },
): readonly LiveFraise[] {
  const { fraise, environment } = deployment;
  const isThis = (one: LiveFraise) => one.fraise === fraise && one.environment === environment;
  const known = live.find(isThis);
  const others = live.filter((one) => !isThis(one));
  if (release === '') return known === undefined ? live : others;
  const now: LiveFraise = {
    origin: origin || (known?.origin ?? ''),
    provenGood: (known?.release === release && known.provenGood) || provesGood(run),
    fraise,
    environment,
    appPath: (planOf(deployment).target as Target).appPath,
    release,
  };
  return known !== undefined && isSame(known, now) ? live : [...others, now];
}

/** What was good before says nothing of what is live now; a health check that was passed does. */
function provesGood({ phase, status, steps }: RunRow): boolean {
  if (status !== 'succeeded' || (phase !== 'release' && phase !== 'undo')) return false;
  return steps.some(({ action }) => action?.$case === 'health' || action?.$case === 'prove');
}

function isSame(one: LiveFraise, other: LiveFraise): boolean {
  return (Object.keys(other) as (keyof LiveFraise)[]).every((key) => one[key] === other[key]);
}
