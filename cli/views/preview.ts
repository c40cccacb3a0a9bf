import type { DeploymentPreview, PreviewedHost } from '../../proto/gen/fraisier/v1/control.js';
import type { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { Look } from '../look.js';
import { subject } from './deployment.js';
import { lines } from './table.js';
import { short } from './words.js';

const FILES_SHOWN = 10;

/** `deploy --dry-run`: what would happen, as each host sees it. Nothing was changed. */
export function planFromHosts(preview: DeploymentPreview, look: Look): string {
  if (preview.undoes !== '') return lines([`plan: ${preview.undoes} would be undone, and the fraise locked`]);
  const migration = migrations(preview);
  const noReturn =
    preview.pointOfNoReturn === '' ? [] : [look.ink.yellow(`point of no return: ${preview.pointOfNoReturn}`)];
  const warnings = preview.warnings.map((warning) => look.ink.yellow(`warning: ${warning}`));
  const hosts = preview.hosts.flatMap((host) => hostLines(host, look));
  const back = preview.rollback === undefined ? '' : `  (rollback from ${short(preview.rollback.from)})`;
  const { rules } = preview;
  return lines([
    `plan: ${subject(preview)}${back}`,
    ...migration,
    ...rules,
    ...noReturn,
    ...warnings,
    ...hosts,
  ]);
}

function migrations({ migratingHost, rollback, kind }: DeploymentPreview): string[] {
  if (kind !== 'rollback') return migratingHost === '' ? [] : [`migrations run once, on ${migratingHost}`];
  if (rollback === undefined || rollback.applied.length === 0)
    return [
      rollback?.codeOnly === true
        ? 'the database is left as it is (--code-only)'
        : 'the database stays as it is',
    ];
  return [`then the database goes down, on ${migratingHost}: ${rollback.applied.join(', ')}`];
}

function hostLines(host: PreviewedHost, look: Look): string[] {
  const head = `${look.ink.bold(host.host)}  batch ${host.batch + 1}  ${host.steps.join(' → ')}`;
  const problem = host.problem === undefined ? [] : [look.ink.red(`cannot say: ${host.problem.message}`)];
  const inner = [...problem, ...(host.preview === undefined ? [] : previewLines(host.preview, look))];
  return [head, ...inner.map((line) => `  ${line}`)];
}

function previewLines(preview: HostPreview, look: Look): string[] {
  const proven = preview.currentRelease !== '' && !preview.currentProvenGood ? ', not proven good' : '';
  const ahead = preview.commitsAhead === 0 ? '' : `, ${preview.commitsAhead} commits behind the new one`;
  const staged = preview.alreadyStaged ? ['the release is already staged'] : [];
  const more = preview.files.length - FILES_SHOWN;
  return [
    `live: ${short(preview.currentRelease)}${proven}${ahead}`,
    ...staged,
    ...preview.refusals.map((refusal) => look.ink.red(`would refuse: ${refusal.message}`)),
    ...preview.refusals.filter(({ hint }) => hint !== '').map(({ hint }) => `next: ${hint}`),
    ...preview.estimatedMigrations.map((migration) =>
      preview.irreversibleMigrations.includes(migration)
        ? look.ink.yellow(`migration (estimated): ${migration}, which has no way down`)
        : `migration (estimated): ${migration}`,
    ),
    ...preview.files.slice(0, FILES_SHOWN).map(({ change, path }) => `${change} ${path}`),
    ...(more > 0 ? [`and ${more} more files (--json lists them all)`] : []),
    ...preview.unitFiles.flatMap(({ path, change, lines: changed }) => [
      `unit file ${change} ${path}`,
      ...changed.map((line) => `  ${line}`),
    ]),
    `free: ${gigabytes(preview.freeBytes)}`,
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
