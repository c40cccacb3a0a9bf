import type { DeploymentPreview, PreviewedHost } from '../../proto/gen/fraisier/v1/control.js';
import type { HostPreview } from '../../proto/gen/fraisier/v1/agent.js';
import type { DeploymentPlan } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { askAgent } from './ask-agent.js';
import type { Edges } from './edges.js';
import { makePlan, targetOf } from './plan.js';
import { resolveRequest, type DeploymentRequest } from './request-deployment.js';
import { RUN_PHASES } from './lifecycle.js';
import { latestRuns } from './runs-of-deployment.js';
import { stepsOfRun } from './steps-of-run.js';

/** From asking a host what a plan would change there (it may fetch first) to giving up on it. */
const PREVIEW_MS = 60_000;

/** The plan a deployment would be frozen to, with what each host says it would change. Read-only; throws as `requestDeployment`. */
export async function previewDeployment(
  edges: Edges,
  request: DeploymentRequest,
): Promise<DeploymentPreview> {
  const { environment, commit, ref, hosts } = await resolveRequest(edges, request);
  const plan = makePlan({ environment, commit, ref, hosts, madeAt: await edges.ledger.now() });
  return {
    fraise: environment.fraise,
    environment: environment.name,
    commit,
    migratingHost: plan.migratingHost,
    pointOfNoReturn: plan.pointOfNoReturn,
    warnings: plan.warnings,
    hosts: await Promise.all(plan.hosts.map(({ host, batch }) => previewHost(edges, plan, host, batch))),
  };

  async function previewHost(
    from: Edges,
    of: DeploymentPlan,
    host: string,
    batch: number,
  ): Promise<PreviewedHost> {
    const work = RUN_PHASES.filter((phase) => phase !== 'undo' && phase !== 'migrate_down')
      .filter((phase) => phase !== 'migrate' || host === of.migratingHost)
      .map((phase) => ({ phase, steps: stepsOfRun(of, host, phase, latestRuns([])).steps }));
    const steps = work.flatMap((one) => one.steps.map((step) => `${one.phase}: ${step.name}`));
    const question = {
      target: targetOf(environment),
      commit,
      steps: work.flatMap((one) => one.steps),
      migrationPaths: ['**/migrations/**', '**/migrate/**', '**/versions/**', 'db/**/*.sql'],
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
