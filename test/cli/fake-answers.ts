import { FraisierError, reason } from '../../proto/error-codes.js';
import type { KeptRelease } from '../../proto/gen/fraisier/v1/agent.js';
import * as control from '../../proto/gen/fraisier/v1/control.js';
import { aDeployment, aFailedDeployment, at, NOW, OLD_SHA, SHA } from './samples.js';

/** What the fake controller answers to questions: one small shop with two hosts. */

/** Of a host that says nothing more about itself. */
export const NOTHING_SEEN = {
  activatedAt: undefined,
  unitStartedAt: undefined,
  provenGood: false,
  kept: [],
  timers: [],
  changedFiles: [],
};

export const A_LOCK: control.Lock = {
  fraise: 'checkout',
  environment: 'production',
  owner: 'ann',
  reason: 'a freeze for the sale',
  lockedAt: at(-3600),
  expiresAt: at(7200),
};

function kept(commit: string, provenGood: boolean): KeptRelease {
  return { commit, provenGood, activatedAt: undefined, stagedAt: at(-60) };
}

export function previewRollback(request: control.RollbackRequest): control.DeploymentPreview {
  const plan = {
    ...previewDeployment({ ...request, commit: '', branch: '', force: false, hosts: [] }),
    kind: 'rollback',
  };
  if (request.to === 'd_running') return { ...plan, undoes: 'd_running', hosts: [] };
  if (request.to === 'd_none')
    throw new FraisierError('no_rollback_target', 'there is no good release before the one that is live');
  const applied = request.codeOnly ? [] : ['003_orders', '002_carts'];
  const rollback = {
    from: OLD_SHA,
    applied,
    before: undefined,
    after: undefined,
    codeOnly: request.codeOnly,
    skipped: [],
  };
  return { ...plan, pointOfNoReturn: '', warnings: [], rules: [], hosts: [], rollback };
}

export function lockFraise({ fraise, environment, reason: why, forMs }: control.LockRequest): control.Lock {
  return {
    ...A_LOCK,
    fraise,
    environment,
    reason: why,
    expiresAt: forMs === 0 ? undefined : at(forMs / 1000),
  };
}

export function unlockFraise({ fraise, environment }: control.LockRef): control.Lock {
  if (fraise === 'free')
    throw new FraisierError('unknown_lock', 'free production is not locked', { hint: 'fraisier locks' });
  return { ...A_LOCK, fraise, environment };
}

export function listLocks(): control.ListLocksResponse {
  return { locks: [A_LOCK, { ...A_LOCK, environment: 'staging', owner: 'bob', expiresAt: undefined }] };
}

export function whoAmI(role: string): control.WhoAmIResponse {
  return { name: role === 'admin' ? 'ann' : 'bob', role, controllerVersion: '0.1.0', protocolVersion: 1 };
}

export function applyConfiguration({
  text,
  fileName,
  dryRun,
}: control.ApplyConfigurationRequest): control.ApplyConfigurationResponse {
  if (text.includes('nonsense')) {
    throw new FraisierError('invalid_configuration', `${fileName}:1:1: nonsense: unknown key`, {
      hint: `fraisier validate ${fileName}`,
    });
  }
  return {
    revision: dryRun ? 0 : 4,
    changed: true,
    differences: ['checkout.production.branch: main → stable'],
    warnings: ['short secret'],
  };
}

export function listFraises(): control.ListFraisesResponse {
  return {
    fraises: [
      {
        name: 'checkout',
        type: 'api',
        description: 'The checkout API',
        environments: [
          { name: 'production', branch: 'main', hosts: ['web-1', 'web-2'], liveVersion: SHA, problem: '' },
          { name: 'staging', branch: '', hosts: [], liveVersion: '', problem: 'no host has the label stage' },
        ],
      },
    ],
  };
}

export function previewDeployment(request: control.RequestDeploymentRequest): control.DeploymentPreview {
  return {
    fraise: request.fraise,
    environment: request.environment,
    commit: SHA,
    migratingHost: 'web-1',
    pointOfNoReturn: 'migrate: the tool has no way down',
    warnings: ['no health check'],
    kind: 'deploy',
    rollback: undefined,
    undoes: '',
    rules: ['when a host fails all of them go back'],
    hosts: [
      {
        host: 'web-1',
        batch: 0,
        steps: ['prepare', 'migrate', 'release'],
        problem: undefined,
        preview: {
          currentRelease: OLD_SHA,
          currentProvenGood: false,
          files: Array.from({ length: 12 }, (_, i) => ({ path: `src/${i}.js`, change: 'M' })),
          commitsAhead: 2,
          estimatedMigrations: ['002_orders.sql'],
          freeBytes: 12_300_000_000,
          refusals: [
            reason('policy_refused', 'web-1 does not allow npm', {
              hint: 'fraisier agent allow --command "npm ci"',
            }),
          ],
          alreadyStaged: true,
          irreversibleMigrations: [],
          unitFiles: [],
        },
      },
      {
        host: 'web-2',
        batch: 1,
        steps: ['prepare', 'release'],
        problem: reason('agent_away', 'web-2 is away'),
        preview: undefined,
      },
    ],
  };
}

export function listDeployments(): control.ListDeploymentsResponse {
  return {
    deployments: [
      aDeployment(),
      aFailedDeployment({ id: 'd_0', requestedBy: '', trigger: 'webhook', durationMs: undefined }),
    ],
    next: 'c1',
  };
}

export function explain({ deploymentId, fraise, environment }: control.ExplainRequest): control.Explanation {
  if (deploymentId === '')
    return { fraise, environment, deployment: undefined, queued: undefined, causes: [], next: '' };
  const running = reason('deployment_running', 'waits for d_1, which is running');
  const away = reason('agent_away', 'the agent on web-2 has been away since 11:00', {
    hint: 'systemctl status fraisier-agent (on web-2)',
  });
  return {
    ...{ fraise: 'checkout', environment: 'production' },
    deployment: aDeployment({ id: deploymentId, status: 'queued', reason: running }),
    queued: { deploymentId, position: 1, reason: running, expectedWaitMs: 125_000 },
    causes: [running, away],
    next: away.hint,
  };
}

export function getStatus({ fraise, environment }: control.GetStatusRequest): control.GetStatusResponse {
  if (fraise === 'nothing') throw new FraisierError('unknown_fraise', `there is no fraise ${fraise}`);
  const away = reason('agent_away', 'web-2 is away since 11:00', {
    hint: 'systemctl status fraisier-agent (on web-2)',
  });
  return {
    environments: [
      {
        fraise: fraise || 'checkout',
        environment: environment || 'production',
        wantedVersion: SHA,
        hosts: [
          {
            host: 'web-1',
            status: 'live',
            liveVersion: SHA,
            health: 'healthy',
            unitState: 'active',
            drift: [],
            lastSeenAt: NOW,
            reason: undefined,
            ...NOTHING_SEEN,
            provenGood: true,
            kept: [kept(SHA, true), kept(OLD_SHA, true), kept('d'.repeat(40), false)],
            timers: [{ timer: 'nightly.timer', state: 'active', nextAt: at(3600) }],
          },
          {
            host: 'web-2',
            status: 'away',
            liveVersion: OLD_SHA,
            health: '',
            unitState: '',
            drift: ['2 dirty files'],
            lastSeenAt: at(-3600),
            reason: away,
            ...NOTHING_SEEN,
          },
        ],
        unfinished: [
          aDeployment({
            id: 'd_2',
            status: 'queued',
            reason: reason('deployment_running', 'd_1 is running'),
          }),
        ],
        last: aDeployment(),
        lock: A_LOCK,
        layout: 'releases',
        queue: [{ deploymentId: 'd_2', position: 1, reason: undefined, expectedWaitMs: 125_000 }],
      },
    ],
  };
}

export function getStats(): control.Stats {
  return {
    total: 10,
    succeeded: 8,
    failed: 1,
    rolledBack: 1,
    cancelled: 0,
    superseded: 0,
    successRate: 0.8,
    durationMs: { p50: 12_300, p95: 65_000 },
    leadTimeMs: { p50: 30_000 },
    timeToRestoreMs: undefined,
  };
}

const WEBHOOK = control.Webhook.fromPartial({
  id: 'w_1',
  provider: 'github',
  deliveryId: '6f2c',
  event: 'push',
  repository: 'acme/checkout',
  branch: 'main',
  commit: SHA,
  sender: 'ann',
  verdict: 'deployed',
  deployments: ['d_1'],
  receivedAt: NOW,
});

export function listWebhooks(): control.ListWebhooksResponse {
  const ignored = control.Webhook.fromPartial({
    id: 'w_0',
    verdict: 'ignored',
    reason: reason('not_a_push', 'issues are not deployed'),
    receivedAt: NOW,
  });
  return { webhooks: [WEBHOOK, ignored], next: '' };
}

export function getWebhook({ id, withBody }: control.WebhookRef): control.Webhook {
  if (id !== WEBHOOK.id) throw new FraisierError('unknown_webhook', `there is no delivery ${id}`);
  const body = Buffer.from('{"ref":"refs/heads/main"}');
  return { ...WEBHOOK, bodyBytes: body.length, body: withBody ? body : Buffer.alloc(0) };
}

export function replayWebhook({ id }: control.WebhookRef): control.Webhook {
  if (id !== WEBHOOK.id)
    throw new FraisierError('not_replayable', `${id} cannot be replayed: its body is no longer kept`);
  return { ...WEBHOOK, id: 'w_9', originalId: id, replayedBy: 'ana', deployments: ['d_9'] };
}

export function setupWebhook({ fraise }: control.WebhookSetupRequest): control.WebhookSetup {
  return control.WebhookSetup.fromPartial({
    fraise,
    provider: 'github',
    url: 'https://deploy.example.com/webhook/github',
    contentType: 'application/json',
    events: ['push'],
    secrets: [{ path: 'git.github.webhook_secret', variables: ['WEBHOOK_SECRET'], usable: true }],
    steps: ['Settings → Webhooks → Add webhook'],
  });
}

const AGENT = control.Agent.fromPartial({
  name: 'web-1',
  labels: { role: 'web', zone: 'a' },
  status: 'connected',
  lastSeenAt: NOW,
  agentVersion: '0.1.0',
  controller: 'c1',
  certificateExpiresAt: at(86_400),
  enrolledAt: NOW,
});

export function listAgents(): control.ListAgentsResponse {
  return { agents: [AGENT] };
}

export function createJoinToken({ name }: control.CreateJoinTokenRequest): control.CreateJoinTokenResponse {
  return {
    token: `frj_for_${name}`,
    expiresAt: at(3600),
    command: `FRAISIER_JOIN_TOKEN=frj_for_${name} fraisier agent --controller c1:9090`,
  };
}

export function revokeAgent({ name }: control.AgentRef): control.Agent {
  if (name !== AGENT.name) throw new FraisierError('unknown_agent', `there is no agent ${name}`);
  return { ...AGENT, status: 'revoked' };
}
