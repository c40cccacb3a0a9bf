import type { DeploymentPreview, PreviewedHost } from '../../proto/gen/fraisier/v1/control.js';
import type { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { Look } from '../look.js';
import { subject } from './deployment.js';
import { lines } from './table.js';
import { short } from './words.js';

const FILES_SHOWN = 10;

/** `deploy --dry-run`: what would happen, as each host sees it. Nothing was changed. */
export function planFromHosts(preview: DeploymentPreview, look: Look): string {
  const migration = preview.migratingHost === '' ? [] : [`migrations run once, on ${preview.migratingHost}`];
  const noReturn =
    preview.pointOfNoReturn === '' ? [] : [look.ink.yellow(`point of no return: ${preview.pointOfNoReturn}`)];
  const warnings = preview.warnings.map((warning) => look.ink.yellow(`warning: ${warning}`));
  const hosts = preview.hosts.flatMap((host) => hostLines(host, look));
  return lines([`plan: ${subject(preview)}`, ...migration, ...noReturn, ...warnings, ...hosts]);
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
    ...preview.estimatedMigrations.map((migration) => `migration (estimated): ${migration}`),
    ...preview.files.slice(0, FILES_SHOWN).map(({ change, path }) => `${change} ${path}`),
    ...(more > 0 ? [`and ${more} more files (--json lists them all)`] : []),
    `free: ${gigabytes(preview.freeBytes)}`,
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
