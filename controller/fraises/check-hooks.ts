import { error, warning } from './finding.js';
import type { Finding } from './finding.js';
import type { Settings } from './inherit-settings.js';

/** Hooks at a point that no deployment of this environment ever comes by, and two names for one point. */
export function checkHooks({ values, pathOf }: Settings): readonly Finding[] {
  const { hooks = {} } = values;
  const findings: Finding[] = [];
  const twice = (point: keyof typeof hooks, alias: keyof typeof hooks) => {
    if (hooks[point] === undefined || hooks[alias] === undefined) return;
    const message = `is the original's name for ${point}; keep one of them`;
    findings.push(error(pathOf('hooks', alias), message, 'key'));
  };
  twice('after_health', 'after_deploy');
  twice('on_rollback', 'after_rollback');
  const never = (points: readonly (keyof typeof hooks)[], why: string) => {
    for (const point of points.filter((one) => hooks[one] !== undefined))
      findings.push(warning(pathOf('hooks', point), `never run: ${why}`, 'key'));
  };
  const migrates = values.database !== undefined && values.database.strategy !== 'none';
  if (!migrates) never(['before_migrate', 'after_migrate'], 'there is no database to migrate');
  const restarts = values.systemd_service !== undefined || values.restart !== undefined;
  if (!restarts) never(['before_restart', 'after_restart'], 'nothing is restarted');
  return findings;
}
