import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { fullUnitName } from './policy-rules.js';
import type { ReleaseMark } from './release-layout.js';
import type { Systemd } from './step.js';

/** systemd tells seconds, marks milliseconds. */
const SAME_MOMENT_MS = 1000;

/** The unit of a fraise as systemd tells it. */
export interface UnitNow {
  /** `unknown` without a unit, or without systemd. */
  readonly unitState: string;
  readonly unitStartedAt: Date | undefined;
  /** Its file changed after systemd read it. */
  readonly reloadDue: boolean;
}

/** Asks systemd once. */
export async function unitNow(
  { systemdService }: Pick<Target, 'systemdService'>,
  systemd: Systemd | null,
): Promise<UnitNow> {
  if (systemdService === '' || systemd === null)
    return { unitState: 'unknown', unitStartedAt: undefined, reloadDue: false };
  const shown = await systemd.show(fullUnitName(systemdService), [
    'ActiveState',
    'ActiveEnterTimestamp',
    'NeedDaemonReload',
  ]);
  return {
    unitState: shown['ActiveState'] || 'unknown',
    unitStartedAt: momentOf(shown['ActiveEnterTimestamp'] ?? ''),
    reloadDue: shown['NeedDaemonReload'] === 'yes',
  };
}

/** `Mon 2026-11-23 00:53:00 UTC`, as `systemctl show` prints it with TZ=UTC. */
export function momentOf(text: string): Date | undefined {
  const [, day, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(text) ?? [];
  return day === undefined || time === undefined ? undefined : new Date(`${day}T${time}Z`);
}

/** Whether it was started before its code changed. */
export function isStale(mark: ReleaseMark | null, startedAt: Date | undefined): boolean {
  if (startedAt === undefined || typeof mark?.activatedAt !== 'string') return false;
  return startedAt.getTime() + SAME_MOMENT_MS <= Date.parse(mark.activatedAt);
}
