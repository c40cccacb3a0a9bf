import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { EnrolledAgent, NewLease } from '../../../controller/deployments/ledger/agent.js';
import type { NewDelivery } from '../../../controller/deployments/ledger/delivery.js';
import type { NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import type { NewLogChunk } from '../../../controller/deployments/ledger/report.js';
import type { NewRun } from '../../../controller/deployments/ledger/run.js';
import { Outcome, RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import { DeploymentPlan, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';

export const COMMIT = 'c'.repeat(40);

let numbers = 0;
const fresh = (prefix: string): string => `${prefix}_${(numbers += 1)}`;

export function newDeployment(more: Partial<NewDeployment> = {}): NewDeployment {
  return {
    id: fresh('d'),
    fraise: 'checkout',
    environment: 'production',
    kind: 'deploy',
    commit: COMMIT,
    ref: 'main',
    configRevision: 1,
    trigger: 'cli',
    requestedBy: 'ana',
    webhookId: null,
    requestId: null,
    originId: null,
    force: false,
    onlyHosts: [],
    pushedAt: null,
    rollback: null,
    ...more,
  };
}

export function newRun(deploymentId: string, more: Partial<NewRun> = {}): NewRun {
  const steps = [
    Step.fromPartial({
      name: 'stage',
      timeoutMs: 60_000,
      action: { $case: 'stage', value: { commit: COMMIT } },
    }),
  ];
  return {
    id: fresh('r'),
    deploymentId,
    host: 'web-1',
    phase: 'prepare',
    attempt: 1,
    steps,
    commit: COMMIT,
    ...more,
  };
}

export function plan(): DeploymentPlan {
  return DeploymentPlan.fromPartial({
    commit: COMMIT,
    target: { fraise: 'checkout', environment: 'production', appPath: '/srv/checkout' },
    hosts: [{ host: 'web-1', batch: 0 }],
    madeAt: new Date('2026-05-01T12:00:00Z'),
  });
}

export function event(runId: string, seq: number, message = 'ok'): RunEvent {
  return RunEvent.fromPartial({
    runId,
    seq,
    at: new Date('2026-05-01T12:00:00Z'),
    event: {
      $case: 'stepFinished',
      value: { step: 'stage', attempt: 1, outcome: Outcome.SUCCEEDED, reason: reason('run_failed', message) },
    },
  });
}

export function chunk(run: { id: string; deploymentId: string }, offset: number, text: string): NewLogChunk {
  const data = new TextEncoder().encode(text);
  return {
    runId: run.id,
    deploymentId: run.deploymentId,
    step: 'stage',
    attempt: 1,
    offset,
    data,
    truncated: false,
  };
}

export function enrolled(name = 'web-1', more: Partial<EnrolledAgent> = {}): EnrolledAgent {
  const certificateExpiresAt = new Date('2026-06-01T00:00:00Z');
  return { name, labels: { role: 'web' }, certificateSerial: '01', certificateExpiresAt, ...more };
}

export function lease(more: Partial<NewLease> = {}): NewLease {
  return {
    controllerId: 'c_1',
    leaseMs: 60_000,
    agentVersion: '0.1.0',
    bootId: 'boot',
    instanceId: 'instance',
    live: [
      {
        fraise: 'checkout',
        environment: 'production',
        appPath: '/srv',
        release: COMMIT,
        provenGood: true,
        origin: '',
      },
    ],
    ...more,
  };
}

export function newDelivery(more: Partial<NewDelivery> = {}): NewDelivery {
  return {
    id: fresh('w'),
    provider: 'github',
    deliveryId: 'delivery-1',
    event: 'push',
    repository: 'acme/checkout',
    branch: 'main',
    tag: '',
    commit: COMMIT,
    sender: 'ana',
    verdict: 'deployed',
    reason: null,
    headers: { 'x-github-event': 'push' },
    body: new Uint8Array([123, 0, 255, 125]),
    matchedSecret: 'git.github.webhook_secret',
    originalId: null,
    ...more,
  };
}

/** Where its step's output ends then. */
export async function appendLog(ledger: Pick<Ledger, 'appendLogs'>, chunk: NewLogChunk): Promise<number> {
  const [end] = await ledger.appendLogs([chunk]);
  return end as number;
}
