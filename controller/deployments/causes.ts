import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { decide, type HostView, type Situation } from './decide.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import { reason } from './reason.js';
import { isOpen, latestRuns, planOf } from './runs-of-deployment.js';

/** What the causes of one deployment are found among: the unfinished ones of its environment, started ones as they stand. */
export interface Among {
  readonly unfinished: readonly DeploymentRow[];
  readonly started: readonly Situation[];
}

/** Why a deployment waits or was stopped: each reason explains the one before it. Empty: nothing is in its way. Pure. */
export function causesOf(deployment: DeploymentRow, among: Among): readonly Reason[] {
  const own = deployment.reason === null ? [] : [deployment.reason];
  const situation = among.started.find((one) => one.deployment.id === deployment.id);
  if (situation !== undefined) return [...own, ...causesOfWork(situation)];
  const named = deployment.reason?.facts['deployment'] ?? deployment.reason?.facts['by'];
  // Each is looked at once: reasons that were written at two moments could name each other.
  const unfinished = among.unfinished.filter(({ id }) => id !== deployment.id);
  const other = unfinished.find(({ id }) => id === named);
  return other === undefined ? own : [...own, ...causesOf(other, { ...among, unfinished })];
}

/** What would clear the last of the causes that anything but time clears; empty: only time does, or nothing is wrong. */
export function nextOf(causes: readonly Reason[], deployment: DeploymentRow | null): string {
  const hint = causes.findLast((cause) => cause.hint !== '')?.hint;
  if (hint !== undefined) return hint;
  return deployment === null ? '' : onceMore(deployment);
}

/** Of one that was stopped by what has no remedy of its own: where to look, or to ask for it again. */
function onceMore({ id, fraise, environment, kind, status, reason: why }: DeploymentRow): string {
  const again = kind === 'rollback' ? `fraisier rollback ${fraise} ${environment}` : `fraisier retry ${id}`;
  const host = why?.facts['host'];
  switch (status) {
    case 'failed':
    case 'rolled_back':
    case 'rollback_failed':
      return host === undefined ? again : `fraisier logs ${id} --host ${host}`;
    case 'cancelled':
      return again;
    case 'superseded':
      return `fraisier status ${fraise} ${environment}`;
    case 'queued':
    case 'running':
    case 'paused':
    case 'rolling_back':
    case 'succeeded':
    case 'unchanged':
      return '';
  }
}

/** What a started deployment waits for: by its next decision, then by the run that takes longest or whose host is away. */
function causesOfWork(situation: Situation): readonly Reason[] {
  const { deployment, runs, hosts, now } = situation;
  const waiting = decide(situation).wait?.reason ?? null;
  const told = waiting === null || waiting.message === deployment.reason?.message ? [] : [waiting];
  const open = latestRuns(runs).all.filter(isOpen);
  const away = hosts.filter((host) => host.leaseExpiresAt === null || host.leaseExpiresAt <= now);
  const hostOf = (run: RunRow) => away.find(({ name }) => name === run.host);
  const run = open.find((one) => hostOf(one) !== undefined) ?? open[0];
  if (run === undefined) return [...told, ...notHealthyFor(situation, waiting, away)];
  const absent = hostOf(run);
  return [...told, inHand(run), ...(absent === undefined ? [] : [awaySince(absent)])];
}

/** Only a host that comes back ends this wait. */
function notHealthyFor(
  { deployment }: Situation,
  waiting: Reason | null,
  away: readonly HostView[],
): readonly Reason[] {
  if (waiting?.code !== 'too_few_healthy') return [];
  const { hosts, beside } = planOf(deployment);
  const fleet = [...hosts.map(({ host }) => host), ...beside];
  return away
    .filter(({ name }) => fleet.includes(name))
    .slice(0, 1)
    .map(awaySince);
}

function inHand({ deploymentId, host, phase, status, currentStep }: RunRow): Reason {
  const facts = { host, phase, ...(currentStep === null ? {} : { step: currentStep.name }) };
  const hint = `fraisier logs ${deploymentId} --host ${host}`;
  if (currentStep === null)
    return reason('waiting_for_host', `${phase} on ${host} is ${status}`, { facts, hint });
  const { name, startedAt, timeoutMs } = currentStep;
  const limit = `it may take until ${new Date(startedAt.getTime() + timeoutMs).toISOString()}`;
  const message = `${host} is in the step ${name} of ${phase} since ${startedAt.toISOString()}; ${limit}`;
  return reason('waiting_for_host', message, { facts, hint });
}

function awaySince({ name, leaseExpiresAt }: HostView): Reason {
  const since = leaseExpiresAt?.toISOString() ?? '';
  const said = since === '' ? 'has never connected' : `has been away since ${since}`;
  return reason(
    'agent_away',
    `the agent on ${name} ${said}; it goes on when it is back, if its limit has not passed by then`,
    {
      hint: `systemctl status fraisier-agent (on ${name})`,
      facts: { host: name, since },
    },
  );
}
