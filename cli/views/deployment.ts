import type { Deployment, DeploymentHost, DeploymentStep } from '../../proto/gen/fraisier/v1/control.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Look } from '../look.js';
import { fields, lines, table } from './table.js';
import { instant, short, span, status } from './words.js';

/** The end of a live view: how it stands, why, and what to type next. */
export function deploymentSummary(deployment: Deployment, look: Look): string {
  const took = deployment.durationMs === undefined ? '' : ` in ${span(deployment.durationMs)}`;
  const was = deployment.oldVersion === '' ? '' : ` (was ${short(deployment.oldVersion)})`;
  const head = `${status(deployment.status, look)}  ${subject(deployment)}${was}${took}`;
  const why = deployment.reason === undefined ? [] : [`why:  ${deployment.reason.message}`];
  const next = nextCommand(deployment);
  const warnings = deployment.warnings.map((warning) => look.ink.yellow(`warning: ${warning}`));
  return lines([head, ...why, ...(next === '' ? [] : [`next: ${next}`]), ...warnings]);
}

/** One line for a deployment that is left to itself. */
export function deploymentQueued(deployment: Deployment, look: Look): string {
  return lines([
    `${deployment.id}  ${status(deployment.status, look)}  ${subject(deployment)}`,
    `next: fraisier watch ${deployment.id}`,
  ]);
}

/** `show`: one deployment whole. */
export function deploymentWhole(deployment: Deployment, look: Look): string {
  const parts = [headPart(deployment, look), ...deployment.hosts.map((host) => hostPart(host, look))];
  return parts.join('\n');
}

/** `checkout → production 3f2c1ab`. */
export function subject({
  fraise,
  environment,
  commit,
}: Pick<Deployment, 'fraise' | 'environment' | 'commit'>): string {
  return [`${fraise} → ${environment}`, ...(commit === '' ? [] : [short(commit)])].join('  ');
}

/** What to type next for a deployment that stands like this; empty when all is well. */
export function nextCommand(deployment: Deployment): string {
  if (deployment.reason?.hint) return deployment.reason.hint;
  const { id, fraise, environment } = deployment;
  switch (deployment.status) {
    case 'failed':
    case 'rolled_back':
    case 'rollback_failed':
      return `fraisier logs ${id}${ofFailedHost(deployment)}`;
    case 'paused':
      return `fraisier continue ${id}, or: fraisier cancel ${id}`;
    case 'superseded':
      return `fraisier status ${fraise} ${environment}`;
    case 'queued':
    case 'running':
    case 'rolling_back':
      return `fraisier watch ${id}`;
    default:
      return '';
  }
}

/** A reason in one line: its sentence, then the command that clears it. */
export function reasonLine(reason: Reason | undefined): string {
  if (reason === undefined) return '';
  return reason.hint === '' ? reason.message : `${reason.message} (next: ${reason.hint})`;
}

function ofFailedHost(deployment: Deployment): string {
  const host = deployment.hosts.find(({ status, reason }) => status === 'failed' || reason !== undefined);
  return host === undefined ? '' : ` --host ${host.host}`;
}

function headPart(deployment: Deployment, look: Look): string {
  const by = [deployment.requestedBy, deployment.trigger === '' ? '' : `(${deployment.trigger})`]
    .filter(Boolean)
    .join(' ');
  const ref = deployment.ref === '' ? '' : ` (${deployment.ref})`;
  const head = `${look.ink.bold(deployment.id)}  ${deployment.fraise} → ${deployment.environment}\n`;
  return (
    head +
    fields([
      ['status', status(deployment.status, look)],
      ['why', deployment.reason?.message ?? ''],
      ['next', nextCommand(deployment)],
      ['kind', deployment.kind],
      ['commit', deployment.commit === '' ? '' : `${deployment.commit}${ref}`],
      ['version', versions(deployment)],
      ['asked by', by],
      ['webhook', deployment.webhookId],
      ['config', deployment.configRevision === 0 ? '' : `revision ${deployment.configRevision}`],
      ['created', stamp(deployment.createdAt)],
      ['started', stamp(deployment.startedAt)],
      ['finished', stamp(deployment.finishedAt)],
      ['took', deployment.durationMs === undefined ? '' : span(deployment.durationMs)],
      ['warnings', deployment.warnings.join(' · ')],
    ])
  );
}

function hostPart(host: DeploymentHost, look: Look): string {
  const head = [look.ink.bold(host.host), host.phase, status(host.status, look), versions(host)]
    .filter(Boolean)
    .join('  ');
  const notes = [
    ...(host.reason === undefined ? [] : [reasonLine(host.reason)]),
    ...host.lateReports.map((late) => `later: ${late}`),
  ];
  const steps =
    host.steps.length === 0
      ? ''
      : table(
          ['  phase', 'step', 'status', 'took', 'attempts', 'reason'],
          host.steps.map((step) => stepRow(step, look)),
          look,
        );
  return lines([head, ...notes.map((note) => `  ${note}`)]) + steps;
}

function stepRow(step: DeploymentStep, look: Look): string[] {
  const took = step.durationMs === undefined ? '-' : span(step.durationMs);
  return [
    `  ${step.phase}`,
    step.name,
    status(step.status, look),
    took,
    String(step.attempts),
    reasonLine(step.reason),
  ];
}

function versions({
  oldVersion,
  newVersion,
}: {
  readonly oldVersion: string;
  readonly newVersion: string;
}): string {
  if (oldVersion === '' && newVersion === '') return '';
  return `${short(oldVersion)} → ${short(newVersion)}`;
}

function stamp(at: Date | undefined): string {
  return at === undefined ? '' : instant(at);
}
