import { MigrationState } from '../../proto/gen/fraisier/v1/plan.js';
import type { AgentRow } from '../../controller/deployments/ledger/agent.js';
import type { DeploymentRow } from '../../controller/deployments/ledger/deployment.js';
import type { RunRow } from '../../controller/deployments/ledger/run.js';
import type {
  Check,
  Configuration,
  Environment,
  HealthCheck,
  HttpCheck,
  Rollout,
} from '../../controller/fraises/fraises.js';
import { makePlan } from '../../controller/deployments/plan.js';

/** A moment that tests count from. */
export const NOON = new Date('2026-05-01T12:00:00Z');

/** `NOON` plus so many seconds. */
export function at(seconds: number): Date {
  return new Date(NOON.getTime() + seconds * 1000);
}

export const COMMIT = 'c'.repeat(40);
export const PREVIOUS = 'a'.repeat(40);

export function anEnvironment(more: Partial<Environment> = {}): Environment {
  return {
    fraise: 'checkout',
    name: 'production',
    type: 'api',
    description: '',
    repository: 'https://github.com/acme/checkout.git',
    provider: 'github',
    branch: 'main',
    branchPattern: null,
    tags: null,
    paths: [],
    skipMarker: false,
    missedPushCheckMs: null,
    missedPush: 'record',
    webhookSecrets: [],
    hosts: { by: 'name', names: ['web-1', 'web-2'] },
    appPath: '/srv/checkout',
    layout: 'releases',
    shared: [],
    submodules: false,
    cloneFilter: null,
    root: null,
    user: null,
    environmentFile: null,
    systemdService: 'checkout.service',
    systemdSocket: null,
    restartMode: 'restart',
    restart: null,
    install: { command: { argv: ['npm', 'ci'] }, user: null, timeoutMs: 300_000 },
    database: null,
    healthCheck: aHealthCheck(),
    rollout: aRollout(),
    hooks: {},
    script: null,
    jobs: [],
    units: null,
    whileRunning: { waitMs: 300_000, pastWait: 'fail' },
    keepReleases: 5,
    timeoutMs: 600_000,
    protected: true,
    ...more,
  };
}

export function aRollout(more: Partial<Rollout> = {}): Rollout {
  return {
    strategy: 'rolling',
    batch: [1],
    canary: 0,
    bakeMs: 0,
    zones: [],
    maxFailures: 0,
    minHealthy: 0,
    progressMs: 0,
    catchUp: false,
    onFailure: 'rollback',
    ...more,
  };
}

export const aDatabase: NonNullable<Environment['database']> = {
  strategy: 'apply',
  tool: 'command',
  on: null,
  command: null,
  directory: null,
  up: ['bin/migrate', 'up'],
  down: ['bin/migrate', 'down'],
  status: ['bin/migrate', 'status'],
  user: null,
  timeoutMs: 60_000,
  lockTimeoutMs: null,
  statementTimeoutMs: null,
  allowIrreversible: false,
  backupBefore: null,
};

export function aConfiguration(environment: Environment = anEnvironment()): Configuration {
  return {
    name: 'shop',
    defaultProvider: 'github',
    gitHosts: {},
    hosts: {},
    fraises: {
      [environment.fraise]: {
        name: environment.fraise,
        type: environment.type,
        description: '',
        environments: { [environment.name]: environment },
      },
    },
    branchMapping: {},
  };
}

export function aDeployment(
  more: Partial<DeploymentRow> & { environmentConfig?: Environment; hosts?: string[] } = {},
): DeploymentRow {
  const { environmentConfig = anEnvironment(), hosts = ['web-1', 'web-2'], ...rest } = more;
  return {
    id: 'd_1',
    fraise: environmentConfig.fraise,
    environment: environmentConfig.name,
    kind: 'deploy',
    status: 'running',
    commit: COMMIT,
    ref: 'main',
    configRevision: 1,
    trigger: 'webhook',
    requestedBy: 'webhook:github',
    webhookId: null,
    requestId: null,
    originId: null,
    force: false,
    onlyHosts: [],
    pushedAt: null,
    rollback: null,
    reason: null,
    plan: makePlan({ environment: environmentConfig, commit: COMMIT, ref: 'main', hosts, madeAt: NOON }),
    oldVersion: null,
    newVersion: COMMIT,
    cancelRequestedBy: null,
    continueRequestedBy: null,
    skipUnreachable: false,
    answers: [],
    createdAt: NOON,
    startedAt: NOON,
    continuedAt: null,
    finishedAt: null,
    lastNumber: 0,
    changedNumber: 0,
    changedAt: NOON,
    ...rest,
  };
}

let runs = 0;

/** A run of `d_1`; ended ones were dispatched and finished, and a prepared host had a previous release. */
export function aRun(
  host: string,
  phase: RunRow['phase'],
  status: RunRow['status'],
  more: Partial<RunRow> = {},
): RunRow {
  runs += 1;
  const pending = status === 'pending';
  const open = pending || status === 'dispatched' || status === 'running';
  return {
    id: `r_${runs}`,
    deploymentId: 'd_1',
    host,
    phase,
    attempt: 1,
    steps: [],
    commit: COMMIT,
    status,
    reason: null,
    lastSeq: 0,
    cancelReason: null,
    cancelAskedAt: null,
    currentStep: null,
    previousRelease: phase === 'prepare' && status === 'succeeded' ? PREVIOUS : null,
    previousProvenGood: phase === 'prepare' && status === 'succeeded' ? true : null,
    migration: null,
    liveRelease: null,
    settled: false,
    unhealthy: false,
    createdAt: at(1),
    dispatchedAt: pending ? null : at(1),
    startedAt: pending || status === 'dispatched' ? null : at(2),
    finishedAt: open ? null : at(3),
    ...more,
  };
}

export function anAgent(name: string, more: Partial<AgentRow> = {}): AgentRow {
  return {
    name,
    labels: {},
    certificateSerial: '01',
    certificateExpiresAt: at(86_400),
    enrolledAt: NOON,
    revokedAt: null,
    controllerId: 'c_1',
    epoch: 1,
    leaseExpiresAt: at(3600),
    lastSeenAt: NOON,
    agentVersion: '0.1.0',
    bootId: 'b',
    instanceId: 'i',
    live: [],
    ...more,
  };
}

/** An HTTP check of the version, `more` replacing parts of it. */
export function anHttpCheck(more: Partial<HttpCheck & { readonly timeoutMs: number }> = {}): Check {
  return {
    by: 'http',
    timeoutMs: 5000,
    url: 'http://127.0.0.1:8000/health',
    statuses: [200],
    versionField: 'commit',
    json: {},
    body: null,
    headers: {},
    tls: { caFile: null, serverName: null, insecure: false },
    ...more,
  };
}

export function aHealthCheck(more: Partial<HealthCheck> = {}): HealthCheck {
  return {
    checks: [anHttpCheck()],
    attempts: 10,
    delayMs: 3000,
    backoff: 1,
    maxDelayMs: 30_000,
    startGraceMs: 0,
    stableForMs: 0,
    deadlineMs: null,
    ...more,
  };
}

/** What a migration tool said of a database. */
export function aState(
  revision: string,
  pending: readonly string[],
  more: Partial<MigrationState> = {},
): MigrationState {
  return MigrationState.fromPartial({ revision, pending, ...more });
}
