import type { QueuedDeployment } from '../../proto/gen/fraisier/v1/control.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { findEnvironment } from '../fraises/find-environment.js';
import { causesOf } from './causes.js';
import { currentConfiguration } from './configuration.js';
import type { Edges } from './edges.js';
import type { DeploymentRow } from './ledger/deployment.js';
import { lockedBy } from './locked.js';
import { inOrder, MEASURED, queueOf } from './queue.js';
import { situationOf } from './situation.js';

/** One of `deploymentId` and both of the others; what is not asked about is empty. */
export interface Question {
  readonly deploymentId: string;
  readonly fraise: string;
  readonly environment: string;
}

export interface Explained {
  readonly fraise: string;
  readonly environment: string;
  /** Null: nothing waits, and the last one ended well, or there was none. */
  readonly deployment: DeploymentRow | null;
  readonly queued: QueuedDeployment | null;
  readonly causes: readonly Reason[];
}

/**
 * What a deployment, or the newest unfinished one of an environment, waits for or was stopped by. Read-only; throws
 * `unknown_deployment`, `unknown_fraise`, `unknown_environment`.
 */
export async function explain(edges: Edges, question: Question): Promise<Explained> {
  const { ledger } = edges;
  const named = question.deploymentId === '' ? null : await namedOne(edges, question.deploymentId);
  const pair = named ?? (await knownPair(edges, question));
  const { fraise, environment } = pair;
  const [unfinished, lock, ended, now] = await Promise.all([
    ledger.unfinishedDeployments({ fraise, environment }),
    ledger.lockOn(fraise, environment),
    ledger.endedDeployments(fraise, environment, MEASURED),
    ledger.now(),
  ]);
  const deployment = named ?? inOrder(unfinished).at(-1) ?? badlyEnded(ended[0]);
  if (deployment === null)
    return { fraise, environment, deployment, queued: null, causes: lock === null ? [] : [lockedBy(lock)] };
  const working = unfinished.filter(({ status }) => status !== 'queued');
  const started = await Promise.all(working.map((one) => situationOf(edges, ledger, one)));
  const queue = queueOf({ unfinished, lock, ended, now });
  const queued = queue.find(({ deploymentId }) => deploymentId === deployment.id) ?? null;
  return { fraise, environment, deployment, queued, causes: causesOf(deployment, { unfinished, started }) };
}

async function namedOne({ ledger }: Edges, id: string): Promise<DeploymentRow> {
  const found = await ledger.deployment(id);
  if (found !== null) return found;
  throw new FraisierError('unknown_deployment', `there is no deployment ${id}`, { hint: 'fraisier history' });
}

async function knownPair(
  { ledger, parsed }: Edges,
  { fraise, environment }: Question,
): Promise<{ readonly fraise: string; readonly environment: string }> {
  const { configuration } = await currentConfiguration(ledger, parsed);
  const found = findEnvironment(configuration, fraise, environment);
  return { fraise: found.fraise, environment: found.name };
}

function badlyEnded(last: DeploymentRow | undefined): DeploymentRow | null {
  if (last === undefined || last.status === 'succeeded' || last.status === 'unchanged') return null;
  return last;
}
