import { TimerState } from '../../proto/gen/fraisier/v1/agent.js';
import type { Job } from '../../proto/gen/fraisier/v1/plan.js';
import { timersOf } from '../steps/job-units.js';
import type { Systemd } from '../steps/step.js';
import { momentOf } from '../steps/unit-now.js';

/** The timers of jobs as systemd tells them; none where there is no systemd. */
export async function timersNow(
  jobs: readonly Job[],
  systemd: Systemd | null,
): Promise<readonly TimerState[]> {
  if (systemd === null) return [];
  return Promise.all(timersOf(jobs).map((timer) => timerNow(timer, systemd)));
}

/** systemd's `infinity`, and nothing at all, mean that it does not know when. */
async function timerNow(timer: string, systemd: Systemd): Promise<TimerState> {
  const shown = await systemd.show(timer, ['ActiveState', 'NextElapseUSecRealtime']);
  const nextAt = momentOf(shown['NextElapseUSecRealtime'] ?? '');
  return TimerState.fromPartial({
    timer,
    state: shown['ActiveState'] || 'unknown',
    ...(nextAt === undefined ? {} : { nextAt }),
  });
}
