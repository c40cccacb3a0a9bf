import { FraisierError, type ErrorCode } from '../../proto/error-codes.js';
import type { ResolveRef } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { findEnvironment } from '../fraises/find-environment.js';
import type { Configuration, Environment } from '../fraises/fraises.js';
import { askAgent } from './ask-agent.js';
import { currentConfiguration } from './configuration.js';
import { ASKED_AT_ONCE, fewAtOnce } from './few-at-once.js';
import { awayHosts, isNames, leaveOut, selectHosts } from './select-hosts.js';
import type { Actor, Edges } from './edges.js';
import type { Ledger } from './ledger.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { Trigger } from './lifecycle.js';
import { refuseWhenLocked } from './locked.js';
import { makePlan, targetOf } from './plan.js';
import { stepsToAllow } from './steps-to-allow.js';
import { tell } from './tell.js';

export interface DeploymentRequest {
  readonly fraise: string;
  readonly environment: string;
  readonly commit: string | null;
  readonly branch: string | null;
  readonly force: boolean;
  readonly hosts: readonly string[];
  readonly trigger: Trigger;
  /** The same id again answers with the deployment it made. */
  readonly requestId: string | null;
  /** Hosts that are away are left as they are, instead of being in the way. */
  readonly skipUnreachable?: boolean;
}

/** What a request comes down to, checked against the configuration and the hosts of this moment. */
export interface ResolvedRequest {
  readonly revision: number;
  readonly configuration: Configuration;
  readonly environment: Environment;
  readonly hosts: readonly string[];
  /** Those that are away and would be left out. */
  readonly leftOut: readonly string[];
  readonly commit: string;
  readonly ref: string;
}

/** From asking an agent to resolve a ref (it may have to fetch) to giving up. */
const RESOLVE_MS = 60_000;

/**
 * Queues a deployment by hand. Stored when it returns; refused with nothing written when the fraise, environment, commit
 * or a host is unknown (`unknown_…`), a host is away (`agent_away`), its policy refuses (`policy_refused`), or the fraise is `locked`.
 */
export async function requestDeployment(
  edges: Edges,
  request: DeploymentRequest,
  actor: Actor,
  { retries }: { readonly retries: string | null } = { retries: null },
): Promise<DeploymentRow> {
  const { ledger } = edges;
  const made = await madeBefore(ledger, request.requestId, actor);
  if (made !== null) return made;
  refuseWhenLocked(await ledger.lockOn(request.fraise, request.environment));
  const resolved = await resolveRequest(edges, request);
  return ledger.transaction(async (tx) => {
    await tx.holdFraise(request.fraise, request.environment);
    const again = await madeBefore(tx, request.requestId, actor);
    if (again !== null) return again;
    refuseWhenLocked(await tx.lockOn(request.fraise, request.environment));
    const deployment = await tx.insertDeployment({
      id: edges.newId('d'),
      fraise: request.fraise,
      environment: request.environment,
      kind: retries === null ? 'deploy' : 'retry',
      commit: resolved.commit,
      ref: resolved.ref,
      configRevision: resolved.revision,
      trigger: request.trigger,
      requestedBy: actor.name,
      webhookId: null,
      requestId: request.requestId,
      originId: retries,
      force: request.force,
      onlyHosts: request.hosts,
      pushedAt: null,
      rollback: null,
      skipUnreachable: request.skipUnreachable ?? false,
    });
    const facts = {
      fraise: deployment.fraise,
      environment: deployment.environment,
      commit: deployment.commit,
    };
    await tx.audit({ actor: actor.name, action: 'deployment_requested', subject: deployment.id, facts });
    await tell(tx, 'deployment_queued', deployment, 'queued');
    await tx.wake({ about: 'deployment', id: deployment.id });
    return deployment;
  });
}

/** What this request made already; throws `not_allowed` when somebody else made it: an id is no way to their deployment. */
export async function madeBefore(
  ledger: Ledger,
  requestId: string | null,
  actor: Actor,
): Promise<DeploymentRow | null> {
  const made = requestId === null ? null : await ledger.deploymentByRequest(requestId);
  if (made === null || made.requestedBy === actor.name) return made;
  throw new FraisierError('not_allowed', 'this request id was used by somebody else', {
    hint: 'choose a new request id',
  });
}

/** Everything that can be wrong with a request is found here, before anything is written. */
export async function resolveRequest(edges: Edges, request: DeploymentRequest): Promise<ResolvedRequest> {
  const { revision, configuration } = await currentConfiguration(edges.ledger, edges.parsed);
  const environment = findEnvironment(configuration, request.fraise, request.environment);
  const agents = await edges.ledger.agents();
  const wanted = selectHosts({ configuration, environment, agents }, request.hosts);
  if (!isNames(wanted)) throw refusal(wanted);
  const now = await edges.ledger.now();
  const without = leaveOut(environment, wanted, agents, now);
  const hosts = request.skipUnreachable === true ? without : wanted;
  const away = awayHosts(hosts, agents, now);
  if (away !== null) throw refusal(without.length < wanted.length ? orSkipped(away, request) : away);
  const ref = request.commit ?? request.branch ?? environment.branch;
  if (ref === null) {
    throw new FraisierError(
      'usage',
      `${request.fraise} ${request.environment} has no branch of its own: say which commit or branch`,
      {
        hint: `fraisier deploy ${request.fraise} ${request.environment} --branch BRANCH`,
      },
    );
  }
  // Made only to be asked about: which commit it will be is what the hosts are to say.
  const plan = makePlan({ environment, commit: '', ref, hosts, madeAt: new Date(0) });
  const target = targetOf(environment);
  const commits = await fewAtOnce(hosts, ASKED_AT_ONCE, (host) =>
    resolveRef(edges, host, { target, ref, steps: stepsToAllow(plan, host) }),
  );
  const leftOut = wanted.filter((host) => !hosts.includes(host));
  return { revision, configuration, environment, hosts, leftOut, commit: commits[0] as string, ref };
}

/** Every host is asked, so that each policy is heard; the first one's commit is deployed everywhere. */
async function resolveRef(edges: Edges, host: string, question: ResolveRef): Promise<string> {
  const answer = await askAgent(edges, host, { $case: 'resolveRef', value: question }, RESOLVE_MS).catch(
    unknownCommit,
  );
  if (answer.$case === 'resolved') return answer.value.commit;
  throw new FraisierError('no_answer', `the agent on ${host} answered something else than a commit`);
}

/** What a deployment calls a commit that cannot be found is, in a request, a commit that does not exist. */
function unknownCommit(error: unknown): never {
  if (!(error instanceof FraisierError) || error.reason.code !== 'commit_not_found') throw error;
  throw new FraisierError('unknown_commit', error.message, { ...error.reason, cause: error });
}

function orSkipped(away: Reason, { fraise, environment }: DeploymentRequest): Reason {
  const skipping = `fraisier deploy ${fraise} ${environment} --skip-unreachable (leaves it as it is)`;
  return { ...away, hint: `${away.hint} or ${skipping}` };
}

function refusal(why: Reason): FraisierError {
  return new FraisierError(why.code as ErrorCode, why.message, why);
}
