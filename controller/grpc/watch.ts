import { FraisierError } from '../../proto/error-codes.js';
import type { Deployment, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import type { Edges } from '../deployments/edges.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { StoredEvent } from '../deployments/ledger/report.js';
import { deploymentHasEnded } from '../deployments/lifecycle.js';
import { phaseOnWire } from '../deployments/steps-of-run.js';
import { summarize } from '../deployments/summary.js';
import { packSummary } from './pack.js';
import { isAboutDeployment, openWakeSignal } from './wake-signal.js';

const POLL_MS = 2_000;
const PAGE = 200;

/**
 * What was recorded of a deployment after number `after`, then what is recorded from now on, in order, until it has
 * ended. The first message is the deployment as it stands now, numbered `after`: it moves nobody's place. Of several
 * changes of the deployment itself between two looks, the last one is told. Throws FraisierError `unknown_deployment`.
 */
export async function* watchDeployment(
  edges: Edges,
  id: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const wakeUps = openWakeSignal(edges, (topic) => isAboutDeployment(topic, id));
  try {
    yield standing(after, await rowOf(edges, id), await deploymentNow(edges, id));
    for (let number = after; !signal.aborted;) {
      // All numbers up to the row's last one are committed: they are given out under the row's lock.
      const row = await rowOf(edges, id);
      yield* recorded(edges, row, number);
      number = Math.max(number, row.lastNumber);
      if (deploymentHasEnded(row.status)) return;
      await wakeUps.wait(POLL_MS, signal);
    }
  } finally {
    wakeUps.close();
  }
}

async function* recorded(edges: Edges, row: DeploymentRow, after: number): AsyncGenerator<WatchEvent> {
  let told = row.changedNumber <= after;
  for (let number = after; number < row.lastNumber;) {
    const page = await edges.ledger.eventsOf(row.id, number, PAGE);
    const upToNow = page.filter((event) => event.number <= row.lastNumber);
    for (const event of upToNow) {
      if (!told && event.number > row.changedNumber) {
        told = true;
        yield standing(row.changedNumber, row, await deploymentNow(edges, row.id));
      }
      yield ofHost(event);
    }
    number = upToNow.length < PAGE ? row.lastNumber : (upToNow.at(-1) as StoredEvent).number;
  }
  if (!told) yield standing(row.changedNumber, row, await deploymentNow(edges, row.id));
}

async function rowOf({ ledger }: Edges, id: string): Promise<DeploymentRow> {
  const row = await ledger.deployment(id);
  if (row === null) throw new FraisierError('unknown_deployment', `there is no deployment ${id}`);
  return row;
}

async function deploymentNow(edges: Edges, id: string): Promise<Deployment> {
  const summary = await summarize(edges, id);
  if (summary === null) throw new FraisierError('unknown_deployment', `there is no deployment ${id}`);
  return packSummary(summary);
}

function standing(number: number, { changedAt: at }: DeploymentRow, deployment: Deployment): WatchEvent {
  return { number, at, event: { $case: 'deployment', value: deployment } };
}

function ofHost({ number, host, phase, event }: StoredEvent): WatchEvent {
  return {
    number,
    at: event.at,
    event: { $case: 'host', value: { host, phase: phaseOnWire(phase), event } },
  };
}
