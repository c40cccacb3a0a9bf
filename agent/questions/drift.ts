import type { FileChange, TimerState } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import type { ReleaseMark } from '../steps/release-layout.js';
import { isStale, type UnitNow } from '../steps/unit-now.js';

/** What was seen of a fraise on this host. */
export interface Seen {
  readonly target: Target;
  readonly release: string;
  readonly mark: ReleaseMark | null;
  readonly unit: UnitNow;
  readonly timers: readonly TimerState[];
  readonly changed: readonly FileChange[];
  /** Sentences of their own; empty when there is nothing to say. */
  readonly strangeLink: string;
  readonly otherVersion: string;
}

/** More are only counted. */
const MOST_NAMED = 5;

/** Where what is seen does not agree with what was deployed: a sentence each, with what mends it. */
export function driftOf({ target, mark, unit, timers, changed, ...seen }: Seen): readonly string[] {
  const { fraise, environment, systemdService } = target;
  const again = `fraisier deploy ${fraise} ${environment}`;
  const reload = `the file of ${systemdService} changed after systemd read it: sudo systemctl daemon-reload`;
  const all = [
    seen.strangeLink,
    isStale(mark, unit.unitStartedAt) ? stale(systemdService, mark, unit, again) : '',
    seen.otherVersion === '' ? '' : `${seen.otherVersion}: ${again} --force`,
    unit.reloadDue ? reload : '',
    files(changed),
    ...timers
      .filter(({ state }) => state !== 'active')
      .map(({ timer, state }) => `${timer} is ${state}: ${again}`),
  ];
  return all.filter((words) => words !== '');
}

/** Seen in the process, not in the record. */
function stale(unit: string, mark: ReleaseMark | null, { unitStartedAt }: UnitNow, again: string): string {
  const since = unitStartedAt?.toISOString();
  return `${unit} runs since ${since}, and its code was changed at ${mark?.activatedAt}: it was not restarted: ${again}`;
}

function files(changed: readonly FileChange[]): string {
  if (changed.length === 0) return '';
  const named = changed.slice(0, MOST_NAMED).map(({ change, path }) => `${change} ${path}`);
  const more = changed.length > named.length ? ` and ${changed.length - named.length} more` : '';
  const what = changed.length === 1 ? 'a file was' : `${changed.length} files were`;
  return `${what} changed in the live release: ${named.join(', ')}${more}: put back what must not be, commit and deploy the rest`;
}
