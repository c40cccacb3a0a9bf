import type { DeploymentPreview, PreviewedHost } from '../../proto/gen/fraisier/v1/control.js';
import type { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { askAgent } from './ask-agent.js';
import type { Edges } from './edges.js';
import { ASKED_AT_ONCE, fewAtOnce } from './few-at-once.js';
import { makePlan, targetOf } from './plan.js';
import { resolveRequest, type DeploymentRequest } from './request-deployment.js';
import type { Environment } from '../fraises/fraises.js';
import type { RunPhase } from './lifecycle.js';
import { rulesOf } from './rules-of-plan.js';
import { latestRuns } from './runs-of-deployment.js';
import { selectHosts } from './select-hosts.js';
import { stepsOfRun } from './steps-of-run.js';
import { zonesOf } from './zones.js';

/** From asking a host what a plan would change there (it may fetch first) to giving up on it. */
const PREVIEW_MS = 60_000;
/** On the migrating host alone. */
const ONCE: readonly RunPhase[] = ['migrate', 'migrate_down'];

/** The plan a deployment would be frozen to, with what each host says it would change. Read-only; throws as `requestDeployment`. */
export async function previewDeployment(
  edges: Edges,
  request: DeploymentRequest,
): Promise<DeploymentPreview> {
  const { environment, configuration, commit, ref, hosts, leftOut } = await resolveRequest(edges, request);
  const madeAt = await edges.ledger.now();
  const agents = await edges.ledger.agents();
  const zones = zonesOf(configuration, agents);
  const among = { environment, configuration, agents };
  const fleet = selectHosts(among, [], { migrates: false }) as readonly string[];
  const settle = !request.force;
  const plan = makePlan({ environment, commit, ref, hosts, madeAt, leftOut, fleet, zones, settle });
  return previewPlan(edges, environment, plan, ['prepare', 'migrate', 'release', 'prune']);
}

/** What each host says of a plan, the phases in the order in which they would be carried out. */
export async function previewPlan(
  edges: Edges,
  environment: Environment,
  plan: DeploymentPlan,
  phases: readonly RunPhase[],
): Promise<DeploymentPreview> {
  return {
    fraise: environment.fraise,
    environment: environment.name,
    commit: plan.commit,
    migratingHost: plan.migratingHost,
    pointOfNoReturn: plan.pointOfNoReturn,
    warnings: plan.warnings,
    rules: rulesOf(plan),
    hosts: [
      ...(await fewAtOnce(plan.hosts, ASKED_AT_ONCE, ({ host, batch }) =>
        previewHost(edges, plan, host, batch),
      )),
    ],
    kind: plan.rollback === undefined ? 'deploy' : 'rollback',
    rollback: plan.rollback,
    undoes: '',
  };

  async function previewHost(
    from: Edges,
    of: DeploymentPlan,
    host: string,
    batch: number,
  ): Promise<PreviewedHost> {
    const work = phases
      .filter((phase) => !ONCE.includes(phase) || host === of.migratingHost)
      .map((phase) => ({ phase, steps: stepsOfRun(of, host, phase, latestRuns([])).steps }));
    const steps = work.flatMap((one) => one.steps.map((step) => `${one.phase}: ${step.name}`));
    const question = {
      target: targetOf(environment),
      commit: of.commit,
      steps: work.flatMap((one) => one.steps),
      migrationPaths: ['**/migrations/**', '**/migrate/**', '**/versions/**', 'db/**/*.sql'],
      migrationTool: of.migration?.tool ?? '',
    };
    try {
      const answer = await askAgent(from, host, { $case: 'preview', value: question }, PREVIEW_MS);
      return { host, batch, steps, preview: previewIn(host, answer), problem: undefined };
    } catch (error) {
      if (!(error instanceof FraisierError)) throw error;
      return { host, batch, steps, preview: undefined, problem: error.reason };
    }
  }
}

function previewIn(host: string, answer: Awaited<ReturnType<typeof askAgent>>): HostPreview {
  if (answer.$case === 'preview') return answer.value;
  throw new FraisierError('no_answer', `the agent on ${host} answered something else than a preview`);
}
