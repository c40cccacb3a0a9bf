import { expect } from 'chai';
import { LiveFraise } from '../../../proto/gen/fraisier/v1/agent.js';
import type { NewDeployment } from '../../../controller/deployments/ledger/deployment.js';
import { pushPayload, signedBranchDeletion, signedDelivery, signedTag } from '../../support/github.js';
import {
  aPush,
  commit,
  configure,
  CONFIGURATION,
  edgesOn,
  memoryStore,
  OLD_SECRET,
  postgresStore,
  REPOSITORY,
  SECRET,
  withHttp,
  type Sender,
  type Store,
} from './support.js';
import { newDeployment } from '../db/samples.js';

const STORES: readonly (readonly [name: string, open: () => Promise<Store>])[] = [
  ['memory', memoryStore],
  ['PostgreSQL', postgresStore],
];

for (const [name, open] of STORES) {
  describe(`a delivery, on ${name},`, function () {
    this.timeout(60_000);

    /** A store with a configuration, and a server over it. */
    async function prepared(
      work: (sender: Sender, store: Store) => Promise<void>,
      text = CONFIGURATION,
    ): Promise<void> {
      const store = await open();
      try {
        if (text !== '') await configure(store.ledger, text);
        await withHttp(store.ledger, (sender) => work(sender, store));
      } finally {
        await store.close();
      }
    }

    it('is stored, routed and queued before it is answered', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date(Date.now() - 60_000);
        const push = aPush({ deliveryId: 'first', pushedAt });
        const { status, body } = await send(push);
        const [deployment, ...others] = await store.deployments();
        expect(status).to.equal(202);
        expect(body).to.deep.equal({ status: 'accepted', webhook_id: 'w_0001', deployments: ['d_0002'] });
        expect(others).to.deep.equal([]);
        expect(deployment).to.deep.include({
          id: 'd_0002',
          fraise: 'shop',
          environment: 'staging',
          kind: 'deploy',
          status: 'queued',
          commit: commit('c'),
          ref: 'develop',
          configRevision: 1,
          trigger: 'webhook',
          requestedBy: 'webhook:github',
          webhookId: 'w_0001',
          force: false,
          onlyHosts: [],
          pushedAt: new Date(Math.floor(pushedAt.getTime() / 1000) * 1000),
        });
        const [delivery] = await store.deliveries();
        expect(delivery).to.deep.include({
          provider: 'github',
          deliveryId: 'first',
          event: 'push',
          repository: REPOSITORY,
          branch: 'develop',
          tag: '',
          commit: commit('c'),
          sender: 'Codertocat',
          verdict: 'deployed',
          reason: null,
          claimed: true,
          matchedSecret: 'git.github.webhook_secret[0]',
          originalId: null,
        });
        expect(delivery?.headers)
          .to.include({ 'x-github-event': 'push' })
          .and.not.have.property('x-hub-signature-256');
        expect(Buffer.from(delivery?.body ?? [])).to.deep.equal(push.body);
        expect(JSON.stringify(await store.audit()))
          .to.include('deployment_requested')
          .and.include('d_0002');
      }));

    it('starts every target of its branch', () =>
      prepared(async ({ send }, store) => {
        const { body } = await send(aPush({ branch: 'main' }));
        const started = (await store.deployments()).map((one) => [one.id, one.environment]);
        expect(started).to.have.deep.members([
          ['d_0002', 'production'],
          ['d_0003', 'staging'],
        ]);
        expect(body['deployments']).to.deep.equal(['d_0002', 'd_0003']);
      }));

    it('says of a push that deploys which environment was left out, and why', async () => {
      const one = 'production: { branch: main,';
      const text = CONFIGURATION.replace(one, `${one} skip_marker: true,`);
      await prepared(async ({ send }, store) => {
        const { body } = await send(aPush({ branch: 'main', message: 'now [skip deploy]' }));
        expect(body['deployments']).to.have.length(1);
        const [delivery] = await store.deliveries();
        expect([delivery?.verdict, delivery?.reason?.code]).to.deep.equal(['deployed', 'skip_marker']);
      }, text);
    });

    it('sent twice deploys once', () =>
      prepared(async ({ send }, store) => {
        const push = aPush();
        await send(push);
        const { status, body } = await send(push);
        expect(status).to.equal(200);
        expect(body).to.deep.equal({
          status: 'duplicate',
          webhook_id: 'w_0003',
          original_id: 'w_0001',
          deployments: ['d_0002'],
        });
        expect(await store.deployments()).to.have.length(1);
        const [, repeat] = await store.deliveries();
        expect(repeat).to.include({ verdict: 'duplicate', claimed: false, originalId: 'w_0001' });
        expect(repeat?.reason?.code).to.equal('duplicate_delivery');
      }));

    it('sent a hundred times at once deploys once', () =>
      prepared(async ({ send }, store) => {
        const push = aPush({ branch: 'main' });
        const answers = await Promise.all(Array.from({ length: 100 }, () => send(push)));
        const statuses = answers.map(({ body }) => String(body['status'])).sort();
        expect(statuses).to.deep.equal(['accepted', ...Array<string>(99).fill('duplicate')]);
        expect(await store.deployments()).to.have.length(2);
        const deliveries = await store.deliveries();
        expect(deliveries.filter((one) => one.claimed)).to.have.length(1);
        expect(deliveries.filter((one) => one.verdict === 'duplicate')).to.have.length(99);
      }));

    it('a hundred pushes at once leave one waiting, and each of the others says which one superseded it', () =>
      prepared(async ({ send }, store) => {
        const pushedAt = new Date();
        const pushes = Array.from({ length: 100 }, (_, i) =>
          aPush({ branch: 'main', commit: hex(i), pushedAt }),
        );
        const answers = await Promise.all(pushes.map((push) => send(push)));
        expect(answers.map(({ status }) => status)).to.deep.equal(Array(100).fill(202));
        const all = await store.deployments();
        expect(all).to.have.length(200);
        for (const environment of ['production', 'staging']) {
          const mine = all.filter((one) => one.environment === environment);
          expect(mine.filter((one) => one.status === 'queued')).to.have.length(1);
          const superseded = mine.filter((one) => one.status === 'superseded');
          expect(superseded).to.have.length(99);
          for (const one of superseded) expect(mine.map(({ id }) => id)).to.include(one.reason?.facts['by']);
        }
      }));

    it('forged before the true one cannot take its id', () =>
      prepared(async ({ send }, store) => {
        const push = aPush({ deliveryId: 'wanted' });
        const forged = Buffer.from(push.body);
        forged[forged.length - 2] = 0x20;
        const refused = await send({ ...push, body: forged });
        expect(refused.status).to.equal(401);
        expect(refused.body['error_type']).to.equal('authentication_error');
        expect((await send(push)).status).to.equal(202);
        expect(await store.deployments()).to.have.length(1);
        const [bad, good] = await store.deliveries();
        expect(bad).to.deep.include({
          verdict: 'bad_signature',
          claimed: false,
          body: null,
          deliveryId: 'wanted',
        });
        expect(good).to.include({ verdict: 'deployed', claimed: true });
      }));

    it('signed with the secret before the rotation is accepted, and says with which', () =>
      prepared(async ({ send }, store) => {
        expect((await send(aPush({ secret: OLD_SECRET }))).status).to.equal(202);
        expect((await store.deliveries())[0]?.matchedSecret).to.equal('git.github.webhook_secret[1]');
      }));

    it('sent as a form deploys as well', () =>
      prepared(async ({ send }, store) => {
        const payload = pushPayload({ repository: REPOSITORY, branch: 'develop', commit: commit('f') });
        expect(
          (await send(signedDelivery({ event: 'push', payload, secret: SECRET, form: true }))).status,
        ).to.equal(202);
        expect((await store.deployments())[0]?.commit).to.equal(commit('f'));
      }));

    it('that deploys nothing is answered with why, and stored', () =>
      prepared(async ({ send }, store) => {
        const tag = { repository: REPOSITORY, commit: commit('c'), secret: SECRET };
        const cases = [
          [aPush({ repository: 'https://github.com/mallory/shop' }), 'unknown_repository'],
          [aPush({ branch: 'topic' }), 'no_target'],
          [
            signedBranchDeletion({ repository: REPOSITORY, branch: 'main', secret: SECRET }),
            'branch_deleted',
          ],
          [signedTag({ ...tag, tag: 'main' }), 'tag_push'],
          [signedDelivery({ event: 'issues', payload: {}, secret: SECRET }), 'unknown_event'],
        ] as const;
        for (const [delivery, code] of cases) {
          const { status, body } = await send(delivery);
          expect(status).to.equal(200);
          expect(body).to.include({ status: 'ignored' }).and.have.nested.property('reason.code', code);
        }
        expect(await store.deployments()).to.deep.equal([]);
        const stored = (await store.deliveries()).map((one) => [one.verdict, one.reason?.code]);
        expect(stored).to.deep.equal(cases.map(([, code]) => ['ignored', code]));
      }));

    it('of a tag goes where the pattern says', () =>
      prepared(async ({ send }, store) => {
        const tag = signedTag({ repository: REPOSITORY, commit: commit('c'), secret: SECRET, tag: 'v1.2' });
        expect((await send(tag)).status).to.equal(202);
        expect((await store.deployments())[0]).to.include({
          environment: 'production',
          ref: 'v1.2',
          commit: commit('c'),
        });
        expect((await store.deliveries())[0]).to.include({ tag: 'v1.2', branch: '' });
      }));

    it('that tries out the hook is answered with pong', () =>
      prepared(async ({ send }, store) => {
        const { status, body } = await send(
          signedDelivery({ event: 'ping', payload: { zen: 'x' }, secret: SECRET }),
        );
        expect(status).to.equal(200);
        expect(body).to.deep.equal({ status: 'pong', webhook_id: 'w_0001' });
        expect((await store.deliveries())[0]).to.include({ verdict: 'pong', reason: null, commit: '' });
      }));

    it('that was ignored is judged again when it is repeated', () =>
      prepared(async ({ send }, store) => {
        const push = aPush({ branch: 'hotfix' });
        expect((await send(push)).body['status']).to.equal('ignored');
        expect((await send(push)).body['status']).to.equal('ignored');
        await configure(store.ledger, CONFIGURATION.replace('branch: develop', 'branch: hotfix'));
        const answers = await Promise.all(Array.from({ length: 20 }, () => send(push)));
        const statuses = answers.map(({ body }) => String(body['status'])).sort();
        expect(statuses).to.deep.equal(['accepted', ...Array<string>(19).fill('duplicate')]);
        const [first, second, ...rest] = await store.deliveries();
        expect(first).to.include({ claimed: false, originalId: null });
        expect(second).to.include({ claimed: false, originalId: first?.id });
        const holder = rest.filter((one) => one.claimed);
        expect(holder).to.have.length(1);
        expect(holder[0]).to.include({ verdict: 'deployed', originalId: second?.id });
        expect((await store.deployments()).map((one) => one.configRevision)).to.deep.equal([2]);
      }));

    it('repeated by many at once while it is ignored is ignored by all', () =>
      prepared(async ({ send }, store) => {
        const push = aPush({ branch: 'topic' });
        const answers = await Promise.all(Array.from({ length: 50 }, () => send(push)));
        expect(new Set(answers.map(({ body }) => body['status']))).to.deep.equal(new Set(['ignored']));
        expect((await store.deliveries()).filter((one) => one.claimed)).to.have.length(1);
      }));

    it('supersedes older pushes that wait, and nothing that runs, is manual or partial', () =>
      prepared(async ({ send }, store) => {
        const queued = (id: string, more: Partial<NewDeployment>) =>
          store.ledger.insertDeployment({ ...aManualDeployment(id), ...more });
        const push = { trigger: 'webhook', requestedBy: 'webhook:github' } as const;
        await queued('running', push);
        await store.ledger.moveDeployment('running', 'queued', 'running', { started: true });
        await queued('waiting', push);
        await queued('manual', {});
        await queued('partial', { ...push, onlyHosts: ['web-1'] });
        await queued('retry', { ...push, kind: 'retry' });
        await queued('elsewhere', { ...push, environment: 'production' });
        await send(aPush());
        const statuses = Object.fromEntries((await store.deployments()).map((one) => [one.id, one.status]));
        expect(statuses).to.deep.equal({
          running: 'running',
          waiting: 'superseded',
          manual: 'queued',
          partial: 'queued',
          retry: 'queued',
          elsewhere: 'queued',
          d_0002: 'queued',
        });
        const waiting = await store.ledger.deployment('waiting');
        expect(waiting?.finishedAt).to.be.instanceOf(Date);
        expect(waiting?.reason).to.deep.equal({
          code: 'superseded',
          message: 'superseded by d_0002, a newer push: cccccccccccc',
          hint: 'fraisier show d_0002',
          facts: { by: 'd_0002', commit: commit('c') },
        });
        expect(JSON.stringify(await store.audit())).to.include('"supersedes":"waiting"');
      }));

    it('told after a newer push, of a branch that moved on, does not take it back', () =>
      prepared(async ({ send }, store) => {
        const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1000);
        await send(aPush({ commit: commit('2'), pushedAt: ago(10) }));
        expect((await send(aPush({ commit: commit('1'), pushedAt: ago(30) }))).status).to.equal(202);
        const [newer, older] = await store.deployments();
        expect(newer).to.include({ status: 'queued', commit: commit('2') });
        expect(older).to.include({ status: 'superseded', commit: commit('1') });
        expect(older?.reason?.facts['by']).to.equal(newer?.id);

        await store.ledger.moveDeployment(newer?.id ?? '', 'queued', 'running', { started: true });
        await store.ledger.moveDeployment(newer?.id ?? '', 'running', 'succeeded', { finished: true });
        await send(aPush({ commit: commit('4'), pushedAt: ago(20) }));
        await send(aPush({ commit: commit('3'), pushedAt: ago(5) }));
        const later = (await store.deployments()).slice(2).map((one) => [one.commit, one.status]);
        expect(later).to.deep.equal([
          [commit('4'), 'superseded'],
          [commit('3'), 'queued'],
        ]);
      }));

    it('without a time, or from a clock that runs ahead, counts as pushed when it arrived', () =>
      prepared(async ({ send }, store) => {
        const payload = pushPayload({ repository: REPOSITORY, branch: 'develop', commit: commit('c') });
        const timeless = {
          ...payload,
          repository: { ...(payload['repository'] as object), pushed_at: null },
        };
        await send(signedDelivery({ event: 'push', payload: timeless, secret: SECRET }));
        await send(aPush({ pushedAt: new Date(Date.now() + 3_600_000) }));
        const deliveries = await store.deliveries();
        const pushed = (await store.deployments()).map((one) => one.pushedAt);
        expect(pushed).to.deep.equal(deliveries.map((one) => one.receivedAt));
      }));

    it('for a fraise without a repository finds it by the origin on its hosts', () =>
      prepared(
        async ({ send }, store) => {
          await enrol(store, 'web-1');
          expect((await send(aPush({ branch: 'main' }))).body).to.have.nested.property(
            'reason.code',
            'unknown_repository',
          );
          const origin = 'git@github.com:acme/shop.git';
          await store.ledger.setLive(
            new Map([['web-1', [LiveFraise.fromPartial({ fraise: 'old', environment: 'x', origin })]]]),
          );
          expect((await send(aPush({ branch: 'main' }))).status).to.equal(202);
          await store.ledger.revokeAgent('web-1');
          expect((await send(aPush({ branch: 'main' }))).body).to.include({ status: 'ignored' });
        },
        `
git: { github: { webhook_secret: "${SECRET}" } }
fraises: { old: { type: api, environments: { x: { branch: main, app_path: /srv/old, systemd_service: old.service } } } }`,
      ));

    it('is never accepted without a secret that it could be signed with', async () => {
      const text = CONFIGURATION.replace(/\["\$\{WEBHOOK_SECRET.*?\]/, '"${NOT_SET_ANYWHERE}"');
      await prepared(async ({ send, log }) => {
        const { status, body } = await send(aPush({ secret: '${NOT_SET_ANYWHERE}' }));
        expect(status).to.equal(401);
        expect(body['message']).to.equal('no webhook secret is configured for github');
        const complaint = log.find((line) => line['msg'] === 'a webhook secret cannot be used');
        expect(complaint).to.include({ path: 'git.github.webhook_secret' });
      }, text);
      await prepared(
        async ({ send }) => {
          expect((await send(aPush({ secret: '' }))).status).to.equal(401);
        },
        CONFIGURATION.replace(/^git:.*$/m, ''),
      );
      await prepared(async ({ send }, store) => {
        expect((await send(aPush())).status).to.equal(401);
        expect((await store.deliveries()).map((one) => one.verdict)).to.deep.equal(['bad_signature']);
      }, '');
    });
  });
}

describe('a secret that cannot be read for another reason', () => {
  it('is a fault of ours, and lets nothing through', async () => {
    const { ledger, deliveries } = await memoryStore();
    await configure(ledger);
    const broken = new Proxy(
      {},
      {
        getOwnPropertyDescriptor: () => {
          throw new Error('unreadable');
        },
      },
    );
    await withHttp(ledger, async ({ send }) => expect((await send(aPush())).status).to.equal(500), {
      edges: edgesOn(ledger, broken),
    });
    expect(await deliveries()).to.deep.equal([]);
  });
});

function hex(number: number): string {
  return number.toString(16).padStart(40, 'a');
}

function aManualDeployment(id: string): NewDeployment {
  return newDeployment({ id, fraise: 'shop', environment: 'staging', commit: commit('a'), ref: 'develop' });
}

async function enrol({ ledger }: Store, name: string): Promise<void> {
  await ledger.enrolAgent({
    name,
    labels: {},
    certificateSerial: '1',
    certificateExpiresAt: new Date('2030-01-01'),
  });
}
