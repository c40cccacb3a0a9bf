import { isProtected } from './build-environment.js';
import type { Surroundings } from './build-environment.js';
import { error, warning } from './finding.js';
import type { Finding } from './finding.js';
import type { Settings } from './inherit-settings.js';

/** What the shape alone cannot tell: settings of one environment that are missing or contradict each other. */
export function checkEnvironment(around: Surroundings, settings: Settings): readonly Finding[] {
  return [
    ...settings.findings,
    ...checkPlace(settings),
    ...checkRestart(settings),
    ...checkDatabase(around, settings),
    ...checkHealth(around, settings),
  ];
}

function checkPlace({ values, pathOf }: Settings): readonly Finding[] {
  const findings: Finding[] = [];
  if (values.app_path === undefined) {
    findings.push(error(pathOf('app_path'), 'is missing; must be an absolute path on the host'));
  }
  if (values.layout === 'releases' && values.repository === undefined) {
    findings.push(
      error(pathOf('layout'), 'releases needs a repository to make them from; without one only in_place'),
    );
  }
  if (values.paths !== undefined) {
    findings.push(
      warning(pathOf('paths'), 'not used in this version: every push to the branch is deployed', 'key'),
    );
  }
  const inPlace = values.layout === 'in_place' || values.repository === undefined;
  if (inPlace && values.shared !== undefined) {
    findings.push(
      warning(pathOf('shared'), 'not used with the layout in_place, which has one folder only', 'key'),
    );
  }
  return findings;
}

function checkRestart({ values, pathOf }: Settings): readonly Finding[] {
  if (values.systemd_service === undefined || values.restart === undefined) return [];
  return [error(pathOf('restart'), 'stands beside systemd_service; keep the one that restarts it', 'key')];
}

function checkDatabase({ environment }: Surroundings, { values, pathOf }: Settings): readonly Finding[] {
  const { database } = values;
  if (database === undefined || database.strategy === 'none') return [];
  const findings: Finding[] = [];
  for (const key of ['tool', 'up'] as const) {
    if (database[key] === undefined) findings.push(error(pathOf('database', key), MISSING[key]));
  }
  if (database.strategy === 'rebuild') findings.push(...checkRebuild(environment, { values, pathOf }));
  else if (database.down !== undefined && database.status === undefined) {
    const message = 'never used without status: what was applied is not known, so it cannot be undone';
    findings.push(warning(pathOf('database', 'down'), message, 'key'));
  }
  return findings;
}

const MISSING = {
  tool: 'is missing; must be command, with up, down and status',
  up: 'is missing; must be the list of words of the command that migrates',
};

function checkRebuild(
  environment: string,
  { values, pathOf }: Pick<Settings, 'values' | 'pathOf'>,
): readonly Finding[] {
  const findings = (['down', 'status'] as const)
    .filter((key) => values.database?.[key] !== undefined)
    .map((key) =>
      error(pathOf('database', key), 'has no meaning with rebuild, where up makes the database anew', 'key'),
    );
  if (!isProtected(environment, values)) return findings;
  const message = `rebuild destroys data and ${environment} is protected; use apply, or say protected: false`;
  return [...findings, error(pathOf('database', 'strategy'), message)];
}

function checkHealth(
  { fraise, environment, type }: Surroundings,
  { values, pathOf }: Settings,
): readonly Finding[] {
  const check = values.health_check;
  if (check?.attempts !== undefined && check.retries !== undefined) {
    return [
      error(
        pathOf('health_check', 'retries'),
        "is the original's name for attempts; keep one of them",
        'key',
      ),
    ];
  }
  if (check !== undefined || type !== 'api') return [];
  return [
    warning(
      ['fraises', fraise, 'environments', environment],
      'has no health_check: a release will count as healthy as soon as its restart succeeded',
      'key',
    ),
  ];
}
