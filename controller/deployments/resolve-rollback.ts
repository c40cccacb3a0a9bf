import { FraisierError, type ErrorCode } from '../../proto/error-codes.js';
import type { Reason, Rollback } from '../../proto/gen/fraisier/v1/plan.js';
import { findEnvironment } from '../fraises/find-environment.js';
import type { Environment } from '../fraises/fraises.js';
import type { PastDeployment } from './applied-since.js';
import { askAgent } from './ask-agent.js';
import { chooseRollbackTarget, type SeenHost, type Target } from './choose-rollback-target.js';
import { currentConfiguration } from './configuration.js';
import { awayHosts, isHere, isNames, selectHosts } from './select-hosts.js';
import type { Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { Trigger } from './lifecycle.js';
import { targetOf } from './plan.js';
import { planRollback } from './plan-rollback.js';

export interface RollbackRequest {
  readonly fraise: string;
  readonly environment: string;
  /** A commit, its beginning, or a deployment's id; empty: the last good release before what is live. */
  readonly to: string;
  readonly codeOnly: boolean;
  /** Hosts that do not answer are left as they are, instead of being in the way. */
  readonly skipUnreachable: boolean;
  readonly trigger: Trigger;
  readonly requestId: string | null;
}

/** A rollback worked out, with nothing written. */
export type ResolvedRollback = { readonly undoes: DeploymentRow } | WayBack;

export interface WayBack {
  readonly undoes: null;
  readonly revision: number;
  readonly environment: Environment;
  readonly hosts: readonly SeenHost[];
  readonly target: Target;
  readonly rollback: Rollback;
  /** The newest ended deployment when it was worked out. */
  readonly newest: string | null;
}

/** How long a host may take to tell what it keeps. */
const INSPECT_MS = 20_000;
/** How far back the record is read: more good releases are kept on no host. */
const PAST = 200;

/** What a rollback would be, read-only. Throws as `requestRollback`. */
export async function resolveRollback(edges: Edges, request: RollbackRequest): Promise<ResolvedRollback> {
  const { ledger } = edges;
  const { revision, configuration } = await currentConfiguration(ledger, edges.parsed);
  const environment = findEnvironment(configuration, request.fraise, request.environment);
  const active = await underWay(ledger, request);
  if (active !== null) return { undoes: mayUndo(active, request) };
  const agents = await ledger.agents();
  const names = selectHosts({ configuration, environment, agents }, []);
  if (!isNames(names)) throw refused(names);
  const now = await ledger.now();
  const away = awayHosts(names, agents, now);
  const someHere = agents.some((agent) => names.includes(agent.name) && isHere(agent, now));
  if (away !== null && !request.skipUnreachable) throw refused(someHere ? orSkipped(away, request) : away);
  const hosts = await lookAtAll(edges, request, environment, names);
  const ended = await ledger.endedDeployments(request.fraise, request.environment, PAST);
  const target = chooseRollbackTarget({ ...request, ended, hosts });
  const since = await sinceTarget(ledger, ended, target);
  const rollback = planRollback({ environment, target, codeOnly: request.codeOnly, names, hosts, since });
  return { undoes: null, revision, environment, hosts, target, rollback, newest: ended[0]?.id ?? null };
}

/** What a rollback undoes instead of going back behind it; null: nothing has begun. */
export async function underWay(
  ledger: Ledger,
  { fraise, environment }: Pick<RollbackRequest, 'fraise' | 'environment'>,
): Promise<DeploymentRow | null> {
  const unfinished = await ledger.unfinishedDeployments({ fraise, environment });
  const first = unfinished.find(({ status }) => status !== 'queued');
  return first ?? unfinished.find(({ kind }) => kind === 'rollback') ?? null;
}

/** A rollback that is under way is what was asked for; anything else with a target of its own must end first. */
function mayUndo(active: DeploymentRow, { to }: RollbackRequest): DeploymentRow {
  if (to === '' || (active.kind === 'rollback' && active.commit.startsWith(to))) return active;
  throw new FraisierError('deployment_running', `${active.id} is ${active.status}: it comes first`, {
    hint: `fraisier rollback ${active.fraise} ${active.environment} (without --to: undoes ${active.id})`,
    facts: { deployment: active.id, status: active.status },
  });
}

/** Every host; with `skipUnreachable` those that answer, unless none does. */
async function lookAtAll(
  edges: Edges,
  { skipUnreachable }: RollbackRequest,
  environment: Environment,
  names: readonly string[],
): Promise<readonly SeenHost[]> {
  const looks = await Promise.allSettled(names.map((host) => look(edges, host, environment)));
  const seen = looks.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const errors = looks.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const inTheWay = errors.filter((error) => !skipUnreachable || seen.length === 0 || !isUnreachable(error));
  if (inTheWay.length > 0) throw inTheWay[0];
  return seen;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof FraisierError && ['agent_away', 'no_answer'].includes(error.reason.code);
}

async function look(edges: Edges, host: string, environment: Environment): Promise<SeenHost> {
  const value = { target: targetOf(environment), health: undefined };
  const answer = await askAgent(edges, host, { $case: 'inspect', value }, INSPECT_MS);
  if (answer.$case === 'inspection') return { host, inspection: answer.value };
  throw new FraisierError('no_answer', `the agent on ${host} answered something else than how it is`);
}

/** Oldest first, the target's own deployment first of all; none without one. */
async function sinceTarget(
  ledger: Ledger,
  ended: readonly DeploymentRow[],
  { deployment: target }: Target,
): Promise<readonly PastDeployment[]> {
  const at = ended.findIndex((one) => one.id === target?.id);
  const since = ended.slice(0, at + 1).toReversed();
  return Promise.all(
    since.map(async (deployment) => ({ deployment, runs: await ledger.runsOf(deployment.id) })),
  );
}

function orSkipped(away: Reason, { fraise, environment }: RollbackRequest): Reason {
  const skipping = `fraisier rollback ${fraise} ${environment} --skip-unreachable (leaves it as it is)`;
  return { ...away, hint: `${away.hint} or ${skipping}` };
}

function refused(why: Reason): FraisierError {
  return new FraisierError(why.code as ErrorCode, why.message, why);
}
