import { FraisierError, reason } from '../../proto/error-codes.js';
import * as control from '../../proto/gen/fraisier/v1/control.js';
import { aDeployment, aFailedDeployment, at, NOW, OLD_SHA, SHA } from './samples.js';

/** What the fake controller answers to questions: one small shop with two hosts. */

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

export function getWebhook({ id }: control.WebhookRef): control.Webhook {
  if (id !== WEBHOOK.id) throw new FraisierError('unknown_webhook', `there is no delivery ${id}`);
  return WEBHOOK;
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
