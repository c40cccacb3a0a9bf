import { expect } from 'chai';
import { stat } from 'node:fs/promises';
import { credentials } from '@grpc/grpc-js';
import type { Role } from '../../../controller/deployments/records.js';
import { ControlService } from '../../../proto/gen/fraisier/v1/control.js';
import { EnrollmentClient, type EnrollResponse } from '../../../proto/gen/fraisier/v1/enrollment.js';
import { fromServiceError } from '../../../proto/grpc-errors.js';
import { fetchPinnedAuthority } from '../../../proto/pinned-authority.js';
import { PROTOCOL_VERSION } from '../../../proto/protocol-version.js';
import { parseToken } from '../../../proto/tokens.js';
import { SAMPLE_CONFIGURATION } from '../../support/memory-edges.js';
import { refused } from '../../support/refused.js';
import { aSigningRequest } from '../pki/support.js';
import { withCallers, type Caller, type CallersLab } from './callers-lab.js';

const NEEDS: Record<keyof typeof ControlService, Role> = {
  whoAmI: 'viewer',
  applyConfiguration: 'admin',
  listFraises: 'viewer',
  requestDeployment: 'deployer',
  previewDeployment: 'viewer',
  retryDeployment: 'deployer',
  cancelDeployment: 'deployer',
  continueDeployment: 'deployer',
  skipHosts: 'deployer',
  requestRollback: 'deployer',
  previewRollback: 'viewer',
  lockFraise: 'deployer',
  unlockFraise: 'deployer',
  listLocks: 'viewer',
  getDeployment: 'viewer',
  explain: 'viewer',
  listDeployments: 'viewer',
  getStatus: 'viewer',
  getStats: 'viewer',
  listWebhooks: 'viewer',
  getWebhook: 'viewer',
  replayWebhook: 'deployer',
  setupWebhook: 'viewer',
  listAgents: 'viewer',
  createJoinToken: 'admin',
  revokeAgent: 'admin',
  watch: 'viewer',
  logs: 'viewer',
};
const ROLES: readonly Role[] = ['viewer', 'deployer', 'admin'];

/** The code a call is refused with, or null when it is answered. */
async function codeOf(caller: Caller, name: keyof typeof NEEDS): Promise<string | null> {
  const request = ControlService[name].requestDeserialize(Buffer.alloc(0)) as never;
  const done: Promise<unknown> =
    name === 'watch'
      ? caller.collect(caller.client.watch(request, caller.metadata()))
      : name === 'logs'
        ? caller.collect(caller.client.logs(request, caller.metadata()))
        : caller.ask(name, request);
  return done.then(
    () => null,
    (error: { reason: { code: string } }) => error.reason.code,
  );
}

describe('the service of people and CI', () => {
  it('lets each role call what it may, and nothing more', () =>
    withCallers(async (lab) => {
      for (const role of ROLES) {
        const caller = await lab.as(role);
        for (const name of Object.keys(NEEDS) as (keyof typeof NEEDS)[]) {
          const mayCall = ROLES.indexOf(role) >= ROLES.indexOf(NEEDS[name]);
          const code = await codeOf(caller, name);
          expect(code === 'not_allowed', `${role} ${name}: ${String(code)}`).to.equal(!mayCall);
          expect(code, `${role} ${name} ${lab.logged.at(-1)}`).not.to.equal('internal');
        }
      }
    }));

  it('answers no call without a token, or with one that is unknown, revoked or over', () =>
    withCallers(async (lab) => {
      const past = new Date(Date.now() - 1000);
      const without = await refused(lab.client(null).ask('whoAmI', {}));
      expect(without).to.include({ code: 'unauthenticated', message: 'a token is needed and none was sent' });
      expect(without.hint).to.contain('fraisier login');
      expect((await refused(lab.client('fra_x').ask('whoAmI', {}))).message).to.contain(
        'does not know this token',
      );
      const revoked = await lab.as('admin', { revokedAt: past });
      expect((await refused(revoked.ask('whoAmI', {}))).message).to.contain('was revoked');
      const expired = await lab.as('admin', { expiresAt: past });
      expect((await refused(expired.ask('whoAmI', {}))).code).to.equal('token_expired');
      const watch = lab.client(null);
      const stream = watch.client.watch({ deploymentId: 'd', after: 0 }, watch.metadata());
      expect((await refused(watch.collect(stream))).code).to.equal('unauthenticated');
    }));

  it('knows a token by name, and whoever opens the socket as local', () =>
    withCallers(async (lab) => {
      const versions = { controllerVersion: '0.1.0', protocolVersion: PROTOCOL_VERSION };
      const deployer = await lab.as('deployer', { expiresAt: new Date(Date.now() + 60_000) });
      expect(await deployer.ask('whoAmI', {})).to.deep.equal({
        name: 'a deployer',
        role: 'deployer',
        ...versions,
      });
      expect(await lab.local.ask('whoAmI', {})).to.deep.equal({ name: 'local', role: 'admin', ...versions });
    }));

  it('keeps the socket from others than its owner and group', () =>
    withCallers(async ({ socket }) => {
      expect((await stat(socket)).mode & 0o777).to.equal(0o660);
      expect((await stat(socket.replace(/\/[^/]*$/, ''))).mode & 0o027).to.equal(0);
    }));

  it('refuses another protocol (row 3), naming the side to upgrade, and lets generic tools through', () =>
    withCallers(async ({ local }) => {
      const newer = local.metadata(String(PROTOCOL_VERSION + 1));
      const { code, message } = await refused(local.ask('whoAmI', {}, newer));
      expect(code).to.equal('protocol_mismatch');
      expect(message).to.contain('upgrade the controller');
      expect((await local.ask('whoAmI', {}, local.metadata(null))).name).to.equal('local');
    }));

  it('says no more than that it failed when it failed', () =>
    withCallers(
      async ({ local, logged }) => {
        const { code, message } = await refused(local.ask('getStats', { fraise: '', days: 0 }));
        expect(code).to.equal('internal');
        expect(message).not.to.contain('disk on fire');
        expect(logged.join('')).to.contain('disk on fire');
      },
      (deps) => ({
        ...deps,
        records: { ...deps.records, stats: () => Promise.reject(new Error('disk on fire')) },
      }),
    ));

  it('applies a configuration and tells what can be deployed, and how it stands', () =>
    withCallers(async ({ local }) => {
      expect((await refused(local.ask('listFraises', {}))).code).to.equal('no_configuration');
      const file = { text: SAMPLE_CONFIGURATION, fileName: 'fraises.yaml', dryRun: true };
      expect(await local.ask('applyConfiguration', file)).to.include({ revision: 0, changed: true });
      expect(await local.ask('applyConfiguration', { ...file, dryRun: false })).to.include({ revision: 1 });
      const { fraises } = await local.ask('listFraises', {});
      expect(fraises.map(({ name }) => name)).to.deep.equal(['checkout']);
      const { environments } = await local.ask('getStatus', {
        fraise: 'checkout',
        environment: 'production',
      });
      expect(environments.map(({ environment, last }) => [environment, last])).to.deep.equal([
        ['production', undefined],
      ]);
      expect((await refused(local.ask('getStatus', { fraise: 'nope', environment: '' }))).code).to.equal(
        'unknown_fraise',
      );
    }));

  it('refuses a request for a commit and a branch, and one whose hosts are not there', () =>
    withCallers(async ({ local }) => {
      await local.ask('applyConfiguration', { text: SAMPLE_CONFIGURATION, fileName: 'f', dryRun: false });
      const request = { fraise: 'checkout', environment: 'production', commit: '', branch: '', force: false };
      const more = { hosts: [], skipUnreachable: false, trigger: 'api', requestId: '' };
      const both = { ...request, ...more, commit: 'abc', branch: 'main' };
      expect((await refused(local.ask('requestDeployment', both))).code).to.equal('usage');
      expect((await refused(local.ask('requestDeployment', { ...request, ...more }))).code).not.to.equal(
        'internal',
      );
      expect((await refused(local.ask('previewDeployment', { ...request, ...more }))).code).not.to.equal(
        'internal',
      );
    }));

  it('says which deployment, webhook, verdict or agent is not there', () =>
    withCallers(async ({ local }) => {
      expect((await refused(local.ask('getDeployment', { id: 'd_x' }))).code).to.equal('unknown_deployment');
      const nothing = { deploymentId: 'd_x', fraise: '', environment: '' };
      expect((await refused(local.ask('explain', nothing))).code).to.equal('unknown_deployment');
      expect((await refused(local.ask('cancelDeployment', { id: 'd_x' }))).code).to.equal(
        'unknown_deployment',
      );
      expect((await refused(local.ask('continueDeployment', { id: 'd_x' }))).code).to.equal(
        'unknown_deployment',
      );
      expect((await refused(local.ask('getWebhook', { id: 'w_x', withBody: false }))).code).to.equal(
        'unknown_webhook',
      );
      const list = { limit: 0, cursor: '', verdict: 'nope', fraise: '', since: undefined };
      expect((await refused(local.ask('listWebhooks', list))).message).to.contain('known are deployed');
      expect((await refused(local.ask('revokeAgent', { name: 'nobody' }))).code).to.equal('unknown_agent');
    }));

  it('tells the records', () =>
    withCallers(async ({ edges, local }) => {
      await aDelivery(edges);
      const all = { limit: 1, cursor: '', verdict: '', fraise: '', since: undefined };
      const { webhooks, next } = await local.ask('listWebhooks', all);
      expect(webhooks.map(({ id, verdict }) => [id, verdict])).to.deep.equal([['w_2', 'pong']]);
      const rest = await local.ask('listWebhooks', { ...all, limit: 1000, cursor: next });
      expect([rest.webhooks.map(({ id }) => id), rest.next]).to.deep.equal([['w_1'], '']);
      expect((await local.ask('listWebhooks', { ...all, verdict: 'ignored' })).webhooks).to.deep.equal([]);
      expect(await local.ask('getWebhook', { id: 'w_1', withBody: false })).to.include({
        id: 'w_1',
        provider: 'github',
        originalId: '',
      });
      const stats = await local.ask('getStats', { fraise: 'checkout', days: 7 });
      expect(stats).to.deep.include({ total: 0, successRate: undefined });
      const where = { fraise: 'a', environment: 'b', limit: 5, since: new Date(), cursor: '' };
      expect(await local.ask('listDeployments', where)).to.deep.equal({ deployments: [], next: '' });
    }));

  it('hands out join tokens with which an agent enrols, and shows, revokes it', () =>
    withCallers(async (lab) => {
      const request = { name: 'web-1', labels: { role: 'web' }, ttlMs: 60_000 };
      const { token, command, expiresAt } = await (await lab.as('admin')).ask('createJoinToken', request);
      expect(command).to.contain('--controller localhost:9090');
      expect(expiresAt).to.be.instanceOf(Date);
      const enrolled = await enrol(lab, token);
      expect(enrolled).to.deep.include({
        agentName: 'web-1',
        labels: { role: 'web' },
        controllers: ['localhost:9091'],
      });
      expect((await refused(enrol(lab, token))).code).to.equal('token_used');
      const shown = async (): Promise<string[]> =>
        (await lab.local.ask('listAgents', {})).agents.map(({ name, status }) => `${name} ${status}`);
      expect(await shown()).to.deep.equal(['web-1 never_seen']);
      const lease = { leaseMs: 60_000, agentVersion: '1', bootId: '', instanceId: '', live: [] };
      const epoch = await lab.edges.ledger.takeLease('web-1', { controllerId: 'c_1', ...lease });
      expect(await shown()).to.deep.equal(['web-1 connected']);
      await lab.edges.ledger.endLease('web-1', epoch ?? 0);
      expect(await shown()).to.deep.equal(['web-1 away']);
      expect((await lab.local.ask('revokeAgent', { name: 'web-1' })).status).to.equal('revoked');
    }));
});

async function enrol(lab: CallersLab, token: string): Promise<EnrollResponse> {
  const address = `localhost:${lab.address.split(':')[1]}`;
  const { authorityPem } = await fetchPinnedAuthority(address, parseToken(token).fingerprint);
  const client = new EnrollmentClient(address, credentials.createSsl(Buffer.from(authorityPem)));
  const { csrPem } = await aSigningRequest();
  const request = { token, csrPem, protocolVersion: PROTOCOL_VERSION, agentVersion: '0.1.0' };
  return new Promise<EnrollResponse>((resolve, reject) => {
    client.enroll(request, (error, response) =>
      error === null ? resolve(response) : reject(fromServiceError(error)),
    );
  }).finally(() => client.close());
}

async function aDelivery({ ledger }: CallersLab['edges']): Promise<void> {
  const empty = {
    repository: '',
    branch: '',
    tag: '',
    commit: '',
    sender: '',
    reason: null,
    headers: {},
    body: null,
  };
  const delivery = {
    provider: 'github',
    event: 'ping',
    verdict: 'pong',
    matchedSecret: null,
    originalId: null,
  } as const;
  for (const id of ['w_1', 'w_2']) await ledger.insertDelivery({ ...empty, ...delivery, id, deliveryId: id });
}
