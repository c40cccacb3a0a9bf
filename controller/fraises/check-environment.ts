import { checkSecret, writtenSecrets } from './build-git-hosts.js';
import { checkDatabase } from './check-database.js';
import { checkHealth } from './check-health.js';
import { checkHooks } from './check-hooks.js';
import { checkKind } from './check-kind.js';
import type { Surroundings } from './build-environment.js';
import { error, warning } from './finding.js';
import type { Finding } from './finding.js';
import type { Settings } from './inherit-settings.js';
import { repositoryWarning } from './repository-fault.js';

/** What the shape alone cannot tell: settings of one environment that are missing or contradict each other. */
export function checkEnvironment(around: Surroundings, settings: Settings): readonly Finding[] {
  return [
    ...settings.findings,
    ...checkRepository(settings),
    ...checkPlace(settings),
    ...writtenSecrets(settings.values.webhook_secret, settings.pathOf('webhook_secret')).flatMap(checkSecret),
    ...checkRestart(settings),
    ...checkHooks(settings),
    ...checkKind(around, settings),
    ...checkDatabase(around, settings),
    ...checkHealth(around, settings),
  ];
}

function checkRepository({ values: { repository }, pathOf }: Settings): readonly Finding[] {
  const message = repository === undefined ? null : repositoryWarning(repository);
  return message === null ? [] : [warning(pathOf('repository'), message)];
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
  const inPlace = values.layout === 'in_place' || values.repository === undefined;
  if (inPlace && values.shared !== undefined) {
    findings.push(
      warning(pathOf('shared'), 'not used with the layout in_place, which has one folder only', 'key'),
    );
  }
  if (inPlace && values.submodules === true) {
    const message =
      'not possible with the layout in_place, which leaves submodules as they are; use layout: releases';
    findings.push(error(pathOf('submodules'), message, 'key'));
  }
  if (inPlace && values.clone?.filter !== undefined) {
    const message =
      'not possible with the layout in_place, whose checkout has everything; use layout: releases';
    findings.push(error(pathOf('clone', 'filter'), message, 'key'));
  }
  return findings;
}

function checkRestart({ values, pathOf }: Settings): readonly Finding[] {
  if (values.systemd_service === undefined) {
    return (['systemd_socket', 'restart_mode'] as const)
      .filter((key) => values[key] !== undefined)
      .map((key) => error(pathOf(key), 'has no meaning without systemd_service', 'key'));
  }
  if (values.restart === undefined) return [];
  return [error(pathOf('restart'), 'stands beside systemd_service; keep the one that restarts it', 'key')];
}
