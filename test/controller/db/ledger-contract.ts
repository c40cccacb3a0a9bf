import { expect } from 'chai';
import type { Waking } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import type { DeliveryRow } from '../../../controller/deployments/ledger/delivery.js';
import type { Answer, DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import type { NewLock } from '../../../controller/deployments/ledger/lock.js';
import type { NotificationRow, WakeTopic } from '../../../controller/deployments/ledger/outbox.js';
import type { RunRow } from '../../../controller/deployments/ledger/run.js';
import {
  DEPLOYMENT_MOVES,
  mayMoveDeployment,
  mayMoveRun,
  RUN_MOVES,
} from '../../../controller/deployments/lifecycle.js';
import type { DeploymentStatus, RunPhase, RunStatus } from '../../../controller/deployments/lifecycle.js';
import { FraisierError, reason } from '../../../proto/error-codes.js';
import type { RunEvent } from '../../../proto/gen/fraisier/v1/agent.js';
import { MigrationState, Rollback, type Reason } from '../../../proto/gen/fraisier/v1/plan.js';
import { until } from '../../support/until.js';
import { pendingContract } from './pending-contract.js';
import { queueContract } from './queue-contract.js';
import {
  appendLog,
  chunk,
  COMMIT,
  enrolled,
  event,
  lease,
  newDelivery,
  newDeployment,
  newRun,
  plan,
} from './samples.js';

/** An empty ledger under test. */
export interface OpenLedger {
  readonly ledger: Ledger;
  readonly waking: Waking;
  close(): Promise<void>;
}

/** What every implementation of the port promises. */
export function ledgerContract(open: () => Promise<OpenLedger>): void {
  let opened: OpenLedger;
  let ledger: Ledger;

  beforeEach(async () => {
    opened = await open();
    ledger = opened.ledger;
  });
  afterEach(async () => await opened.close());

  pendingContract(() => ledger);
  queueContract(() => ledger);

  describe('transactions', () => {
    it('keep all of their writes', async () => {
      const result = await ledger.transaction(async (tx) => {
        await tx.insertConfiguration(configuration('a'));
        await tx.insertConfiguration(configuration('b'));
        return 'done';
      });
      expect(result).to.equal('done');
      expect((await ledger.currentConfiguration())?.text).to.equal('b');
    });

    it('keep none of them when the work throws, and pass the error on', async () => {
      const work = ledger.transaction(async (tx) => {
        await tx.insertDeployment(newDeployment({ id: 'd_gone' }));
        await tx.enrolAgent(enrolled());
        throw new Error('the work failed');
      });
      expect(await messageOf(work)).to.equal('the work failed');
      expect(await ledger.deployment('d_gone')).to.equal(null);
      expect(await ledger.agents()).to.deep.equal([]);
    });

    it('are one when nested', async () => {
      const work = ledger.transaction(async (tx) => {
        await tx.transaction(async (inner) => await inner.insertDeployment(newDeployment({ id: 'd_inner' })));
        expect(await tx.deployment('d_inner')).not.to.equal(null);
        throw new Error('the outer work failed');
      });
      expect(await messageOf(work)).to.equal('the outer work failed');
      expect(await ledger.deployment('d_inner')).to.equal(null);
    });

    it('see nothing of each other before they commit', async () => {
      const { promise: written, resolve: write } = signal();
      const { promise: mayCommit, resolve: commit } = signal();
      const writing = ledger.transaction(async (tx) => {
        await tx.insertDeployment(newDeployment({ id: 'd_new' }));
        write();
        await mayCommit;
      });
      await written;
      const reading = ledger.deployment('d_new').then((row) => row?.id ?? null);
      commit();
      await writing;
      expect(await reading).to.be.oneOf([null, 'd_new']);
      expect((await ledger.deployment('d_new'))?.id).to.equal('d_new');
    });

    it('wait for a row that another one holds', async () => {
      const row = await ledger.insertDeployment(newDeployment());
      const order: string[] = [];
      const { promise: held, resolve: hold } = signal();
      const first = ledger.transaction(async (tx) => {
        await tx.holdDeployment(row.id);
        hold();
        await tx.moveDeployment(row.id, 'queued', 'running');
        order.push('first');
      });
      await held;
      const second = ledger.transaction(async (tx) => {
        const seen = await tx.holdDeployment(row.id);
        order.push(`second sees ${seen?.status}`);
      });
      await Promise.all([first, second]);
      expect(order).to.deep.equal(['first', 'second sees running']);
    });

    it('tell the time', async () => {
      const before = await ledger.now();
      const within = await ledger.transaction(async (tx) => await tx.now());
      expect(within.getTime()).to.be.at.least(before.getTime());
      expect(Math.abs(before.getTime() - Date.now())).to.be.below(60_000);
    });
  });

  describe('configurations', () => {
    it('are numbered from 1 and found by number', async () => {
      expect(await ledger.currentConfiguration()).to.equal(null);
      const first = await ledger.insertConfiguration(configuration('one'));
      const second = await ledger.insertConfiguration(configuration('two'));
      expect([first.revision, second.revision]).to.deep.equal([1, 2]);
      expect(first).to.include({ text: 'one', fileName: 'fraises.yaml', appliedBy: 'ana' });
      expect(first.appliedAt).to.be.instanceOf(Date);
      expect(await ledger.currentConfiguration()).to.deep.equal(second);
      expect(await ledger.configurationRevision(1)).to.deep.equal(first);
      expect(await ledger.configurationRevision(3)).to.equal(null);
    });

    it('have no gap after a transaction that failed, and no double number in a race', async () => {
      const failed = ledger.transaction(async (tx) => {
        await tx.insertConfiguration(configuration('lost'));
        throw new Error('no');
      });
      await messageOf(failed);
      const all = await Promise.all(
        ['a', 'b', 'c', 'd'].map(async (text) => await ledger.insertConfiguration(configuration(text))),
      );
      expect(all.map((row) => row.revision).sort((a, b) => a - b)).to.deep.equal([1, 2, 3, 4]);
    });
  });

  describe('deployments', () => {
    it('begin queued, with what was asked for', async () => {
      const pushedAt = new Date('2026-05-01T11:59:00Z');
      const origin = await ledger.insertDeployment(newDeployment());
      const wanted = newDeployment({
        requestId: 'q1',
        originId: origin.id,
        onlyHosts: ['web-1', 'b "x", {y}'],
        pushedAt,
        force: true,
      });
      const row = await ledger.insertDeployment(wanted);
      expect(row).to.deep.include(wanted);
      expect(row).to.include({
        status: 'queued',
        plan: null,
        lastNumber: 0,
        changedNumber: 0,
        startedAt: null,
      });
      expect(await ledger.deployment(row.id)).to.deep.equal(row);
      expect(await ledger.deploymentByRequest('q1')).to.deep.equal(row);
      expect(await ledger.deploymentByRequest('q2')).to.equal(null);
      expect(await ledger.deployment('nobody')).to.equal(null);
      expect(await ledger.holdDeployment('nobody')).to.equal(null);
    });

    it('are made once per request', async () => {
      await ledger.insertDeployment(newDeployment({ requestId: 'q1' }));
      const again = ledger.insertDeployment(newDeployment({ requestId: 'q1' }));
      expect(await messageOf(again)).to.equal('this request has made a deployment already');
    });

    it('move once when two try at the same time', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const moved = await Promise.all([
        ledger.moveDeployment(id, 'queued', 'running', { started: true }),
        ledger.moveDeployment(id, 'queued', 'cancelled', { finished: true }),
        ledger.moveDeployment(id, 'queued', 'superseded', { finished: true }),
      ]);
      expect(moved.filter(Boolean)).to.have.lengthOf(1);
      expect((await ledger.deployment(id))?.lastNumber).to.equal(1);
    });

    it('change only what a move names, and take a number each time', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const why = reason('paused', 'waiting', { hint: 'fraisier continue', facts: { host: 'web-1' } });
      expect(
        await ledger.moveDeployment(id, 'queued', 'running', {
          plan: plan(),
          oldVersion: 'a',
          newVersion: 'b',
          started: true,
        }),
      ).to.equal(true);
      expect(
        await ledger.moveDeployment(id, 'running', 'paused', {
          reason: why,
          cancelRequestedBy: 'ana',
          continueRequestedBy: 'bo',
          answers: [SKIPPED],
          continued: true,
        }),
      ).to.equal(true);
      const paused = (await ledger.deployment(id)) as DeploymentRow;
      expect(paused).to.deep.include({
        status: 'paused',
        reason: why,
        plan: plan(),
        oldVersion: 'a',
        newVersion: 'b',
        answers: [SKIPPED],
        skipUnreachable: false,
      });
      expect(paused).to.include({
        cancelRequestedBy: 'ana',
        continueRequestedBy: 'bo',
        lastNumber: 2,
        changedNumber: 2,
      });
      expect(paused.startedAt).to.be.instanceOf(Date);
      expect(Number(paused.continuedAt)).to.be.at.least(Number(paused.startedAt));
      expect(Number(paused.changedAt)).to.be.at.least(Number(paused.createdAt));
      expect(paused.finishedAt).to.equal(null);

      expect(
        await ledger.moveDeployment(id, 'paused', 'running', {
          reason: null,
          continueRequestedBy: null,
          oldVersion: null,
          newVersion: null,
          started: false,
          continued: false,
          finished: false,
        }),
      ).to.equal(true);
      expect(await ledger.moveDeployment(id, 'running', 'running')).to.equal(true);
      const running = (await ledger.deployment(id)) as DeploymentRow;
      expect(running).to.include({
        status: 'running',
        reason: null,
        continueRequestedBy: null,
        cancelRequestedBy: 'ana',
      });
      expect(running).to.include({ oldVersion: null, newVersion: null, lastNumber: 4, changedNumber: 4 });
      expect(running.startedAt).to.deep.equal(paused.startedAt);
      expect(running.continuedAt).to.deep.equal(paused.continuedAt);

      expect(await ledger.moveDeployment(id, 'running', 'succeeded', { finished: true })).to.equal(true);
      expect((await ledger.deployment(id))?.finishedAt).to.be.instanceOf(Date);
    });

    it('make only the moves of the transition table', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      for (const [from, to] of pairs(Object.keys(DEPLOYMENT_MOVES) as DeploymentStatus[])) {
        if (from === to || mayMoveDeployment(from, to)) continue;
        expect(await messageOf(ledger.moveDeployment(id, from, to))).to.equal(
          `deployment ${id} cannot go from ${from} to ${to}`,
        );
      }
      expect(await ledger.moveDeployment(id, 'running', 'paused')).to.equal(false);
      expect(await ledger.moveDeployment('nobody', 'queued', 'running')).to.equal(false);
      expect((await ledger.deployment(id))?.lastNumber).to.equal(0);
    });

    it('are active one at a time per fraise and environment', async () => {
      const [one, two, elsewhere] = [
        await ledger.insertDeployment(newDeployment()),
        await ledger.insertDeployment(newDeployment()),
        await ledger.insertDeployment(newDeployment({ environment: 'staging' })),
      ];
      await ledger.moveDeployment(one.id, 'queued', 'running');
      const refused = ledger.moveDeployment(two.id, 'queued', 'running');
      expect(await codeOf(refused)).to.equal('deployment_running');
      expect(await ledger.moveDeployment(elsewhere.id, 'queued', 'running')).to.equal(true);
      await ledger.moveDeployment(one.id, 'running', 'paused');
      expect(await codeOf(ledger.moveDeployment(two.id, 'queued', 'running'))).to.equal('deployment_running');
      await ledger.moveDeployment(one.id, 'paused', 'rolling_back');
      expect(await codeOf(ledger.moveDeployment(two.id, 'queued', 'running'))).to.equal('deployment_running');
      await ledger.moveDeployment(one.id, 'rolling_back', 'rolled_back');
      expect(await ledger.moveDeployment(two.id, 'queued', 'running')).to.equal(true);
    });

    it('start one at a time when each start holds the fraise', async () => {
      const rows = await Promise.all(
        [1, 2, 3, 4].map(async () => await ledger.insertDeployment(newDeployment())),
      );
      const started = await Promise.all(
        rows.map(
          async ({ id }) =>
            await ledger.transaction(async (tx) => {
              await tx.holdFraise('checkout', 'production');
              const others = await tx.unfinishedDeployments({
                fraise: 'checkout',
                environment: 'production',
              });
              if (others.some((row) => row.status === 'running')) return false;
              return await tx.moveDeployment(id, 'queued', 'running');
            }),
        ),
      );
      expect(started.filter(Boolean)).to.have.lengthOf(1);
    });

    it('are listed while unfinished, oldest first', async () => {
      const rows: DeploymentRow[] = [];
      for (const environment of ['production', 'staging', 'production']) {
        rows.push(await ledger.insertDeployment(newDeployment({ environment })));
      }
      const [a, b, c] = rows.map((row) => row.id) as [string, string, string];
      await ledger.moveDeployment(c, 'queued', 'running');
      expect(ids(await ledger.unfinishedDeployments())).to.deep.equal([a, b, c]);
      expect(
        ids(await ledger.unfinishedDeployments({ fraise: 'checkout', environment: 'production' })),
      ).to.deep.equal([a, c]);
      await ledger.moveDeployment(a, 'queued', 'cancelled');
      expect(ids(await ledger.unfinishedDeployments())).to.deep.equal([b, c]);
    });

    it('say what is live: the newest that succeeded, or was rolled back to by request', async () => {
      const live = async () => (await ledger.lastSucceeded('checkout', 'production'))?.id ?? null;
      expect(await live()).to.equal(null);
      const first = await ended('succeeded');
      await ended('failed');
      await ended('succeeded', { environment: 'staging' });
      expect(await live()).to.equal(first);
      await ended('rolled_back');
      expect(await live()).to.equal(first);
      const second = await ended('succeeded', { kind: 'retry' });
      expect(await live()).to.equal(second);
      const back = await ended('rolled_back', { kind: 'rollback', originId: second });
      expect(await live()).to.equal(back);
      const partly = await ended('failed', {}, reason('hosts_failed', 'live on web-1; web-2 failed'));
      expect(await live(), 'live on all but hosts that may fail').to.equal(partly);
      await ended('failed', {}, reason('run_failed', 'no'));
      expect(await live()).to.equal(partly);
    });

    it('tell those that ran and are over, newest end first, as many as asked for', async () => {
      const first = await ended('succeeded');
      await ended('succeeded', { environment: 'staging' });
      const second = await ended('failed');
      const never = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(never.id, 'queued', 'superseded', { finished: true });
      const open = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(open.id, 'queued', 'running', { started: true });
      expect(ids(await ledger.endedDeployments('checkout', 'production', 10))).to.deep.equal([second, first]);
      expect(ids(await ledger.endedDeployments('checkout', 'production', 1))).to.deep.equal([second]);
    });

    it('keep whether hosts that are away are left out', async () => {
      const { id } = await ledger.insertDeployment(newDeployment({ skipUnreachable: true }));
      expect((await ledger.deployment(id))?.skipUnreachable).to.equal(true);
    });

    it('keep what a rollback goes back by', async () => {
      const rollback = Rollback.fromPartial({ from: COMMIT, applied: ['m2'], before: { revision: 'm1' } });
      const { id } = await ledger.insertDeployment(newDeployment({ kind: 'rollback', rollback }));
      expect((await ledger.deployment(id))?.rollback).to.deep.equal(rollback);
    });
  });

  describe('locks', () => {
    const freeze = (more: Partial<NewLock> = {}): NewLock => ({
      id: `l_${(locks += 1)}`,
      fraise: 'checkout',
      environment: 'production',
      owner: 'ana',
      reason: 'a sale',
      forMs: null,
      ...more,
    });
    let locks = 0;

    it('are in force until they are released, one at a time', async () => {
      expect(await ledger.lockOn('checkout', 'production')).to.equal(null);
      const placed = await ledger.insertLock(freeze());
      expect(placed).to.include({ owner: 'ana', reason: 'a sale', expiresAt: null });
      expect(placed?.lockedAt).to.be.instanceOf(Date);
      expect(await ledger.insertLock(freeze({ owner: 'bo' }))).to.equal(null);
      expect(await ledger.lockOn('checkout', 'production')).to.deep.equal(placed);
      expect(await ledger.lockOn('checkout', 'staging')).to.equal(null);
      expect(await ledger.releaseLock('checkout', 'production', 'bo')).to.deep.equal(placed);
      expect(await ledger.releaseLock('checkout', 'production', 'bo')).to.equal(null);
      expect(await ledger.lockOn('checkout', 'production')).to.equal(null);
      expect((await ledger.insertLock(freeze({ owner: 'bo' })))?.owner).to.equal('bo');
    });

    it('end by themselves, and make room for the next', async () => {
      await ledger.insertLock(freeze({ forMs: 0 }));
      expect(await ledger.lockOn('checkout', 'production')).to.equal(null);
      expect(await ledger.releaseLock('checkout', 'production', 'bo')).to.equal(null);
      const next = await ledger.insertLock(freeze({ forMs: 3_600_000 }));
      expect(Number(next?.expiresAt) - Number(next?.lockedAt)).to.be.within(3_599_000, 3_601_000);
      expect(await ledger.lockOn('checkout', 'production')).to.deep.equal(next);
    });

    it('are told by fraise and environment, those in force alone', async () => {
      for (const [fraise, environment] of [
        ['shop', 'production'],
        ['checkout', 'staging'],
        ['checkout', 'production'],
      ] as const)
        await ledger.insertLock(freeze({ fraise, environment }));
      await ledger.insertLock(freeze({ fraise: 'over', forMs: 0 }));
      const told = (await ledger.locks()).map(({ fraise, environment }) => `${fraise} ${environment}`);
      expect(told).to.deep.equal(['checkout production', 'checkout staging', 'shop production']);
    });
  });

  describe('runs', () => {
    it('begin pending, with their steps', async () => {
      const { id: deploymentId } = await ledger.insertDeployment(newDeployment());
      const wanted = newRun(deploymentId);
      const row = await ledger.insertRun(wanted);
      expect(row).to.deep.include(wanted);
      expect(row).to.include({
        status: 'pending',
        lastSeq: 0,
        currentStep: null,
        settled: false,
        unhealthy: false,
        migration: null,
        dispatchedAt: null,
      });
      expect(await ledger.run(row.id)).to.deep.equal(row);
      expect(await ledger.run('nobody')).to.equal(null);
    });

    it('are one per deployment, host, phase and attempt', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      await ledger.insertRun(newRun(id));
      const message = 'there is a run of this phase and attempt on this host already';
      expect(await messageOf(ledger.insertRun(newRun(id)))).to.equal(message);
      for (const more of [{ attempt: 2 }, { host: 'web-2' }, { phase: 'release' as const }])
        await ledger.insertRun(newRun(id, more));
      expect(await ledger.runsOf(id)).to.have.lengthOf(4);
    });

    it('need a deployment', async () => {
      expect(await messageOf(ledger.insertRun(newRun('nobody')))).not.to.equal(null);
    });

    it('are listed oldest first, by deployment and while open by host', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const other = await ledger.insertDeployment(newDeployment());
      const [a, b, c] = [
        await ledger.insertRun(newRun(id)),
        await ledger.insertRun(newRun(id, { phase: 'release' })),
        await ledger.insertRun(newRun(id, { host: 'web-2' })),
      ];
      const d = await ledger.insertRun(newRun(other.id));
      expect(ids(await ledger.runsOf(id))).to.deep.equal([a.id, b.id, c.id]);
      expect(ids(await ledger.openRunsOnHost('web-1'))).to.deep.equal([a.id, b.id, d.id]);
      await ledger.moveRun(a.id, 'pending', 'skipped', { finished: true });
      await ledger.moveRun(b.id, 'pending', 'dispatched', { dispatched: true });
      expect(ids(await ledger.openRunsOnHost('web-1'))).to.deep.equal([b.id, d.id]);
      expect(await ledger.openRunsOnHost('web-9')).to.deep.equal([]);
    });

    it('change only what a move names', async () => {
      const { id } = await pendingRun();
      const why = reason('run_failed', 'stage failed');
      const step = { name: 'stage', startedAt: new Date('2026-05-01T12:00:00.123Z'), timeoutMs: 60_000 };
      const migration = MigrationState.fromPartial({
        revision: 'r1',
        pending: ['r2', 'r3'],
        appliedDigest: 'd',
      });
      expect(await ledger.moveRun(id, 'pending', 'dispatched', { dispatched: true })).to.equal(true);
      expect(
        await ledger.moveRun(id, 'dispatched', 'running', { started: true, currentStep: step, lastSeq: 3 }),
      ).to.equal(true);
      expect(
        await ledger.moveRun(id, 'running', 'running', {
          cancelReason: why,
          previousRelease: '',
          previousProvenGood: false,
          settled: true,
          unhealthy: true,
          migration,
          finished: false,
        }),
      ).to.equal(true);
      const row = (await ledger.run(id)) as RunRow;
      expect(row).to.deep.include({
        status: 'running',
        currentStep: step,
        lastSeq: 3,
        cancelReason: why,
        migration,
      });
      expect(row).to.include({
        previousRelease: '',
        previousProvenGood: false,
        settled: true,
        unhealthy: true,
        liveRelease: null,
        reason: null,
      });
      expect(row.dispatchedAt).to.be.instanceOf(Date);
      expect(row.startedAt).to.be.instanceOf(Date);

      expect(row.cancelAskedAt).to.be.instanceOf(Date);

      const emptied = {
        currentStep: null,
        previousRelease: null,
        previousProvenGood: null,
        migration: null,
      };
      const kept = { finished: true, started: false, dispatched: false };
      expect(
        await ledger.moveRun(id, 'running', 'failed', { ...emptied, ...kept, reason: why, liveRelease: '' }),
      ).to.equal(true);
      const end = (await ledger.run(id)) as RunRow;
      expect(end).to.deep.include({ ...emptied, status: 'failed', reason: why, liveRelease: '', lastSeq: 3 });
      expect(end.startedAt).to.deep.equal(row.startedAt);
      expect(end).to.deep.include({ cancelReason: why, cancelAskedAt: row.cancelAskedAt });
      expect(end.finishedAt).to.be.instanceOf(Date);
    });

    it('move once when two try at the same time, and only as the transition table says', async () => {
      const { id } = await pendingRun();
      for (const [from, to] of pairs(Object.keys(RUN_MOVES) as RunStatus[])) {
        if (from === to || mayMoveRun(from, to)) continue;
        expect(await messageOf(ledger.moveRun(id, from, to))).to.equal(
          `run ${id} cannot go from ${from} to ${to}`,
        );
      }
      const moved = await Promise.all(
        (['dispatched', 'cancelled', 'skipped'] as const).map(
          async (to) => await ledger.moveRun(id, 'pending', to),
        ),
      );
      expect(moved.filter(Boolean)).to.have.lengthOf(1);
      expect(await ledger.moveRun('nobody', 'pending', 'dispatched')).to.equal(false);
    });
  });

  describe('events', () => {
    it('are stored in order and known when they are the very same', async () => {
      const run = await pendingRun();
      await appended(run, [event(run.id, 1), event(run.id, 2)]);
      expect(await ledger.knowsEvent(event(run.id, 1))).to.equal(true);
      expect(await ledger.knowsEvent(event(run.id, 1, 'something else'))).to.equal(false);
      expect(await ledger.knowsEvent(event(run.id, 3))).to.equal(false);
      expect(await ledger.knowsEvent(event('nobody', 1))).to.equal(false);
      expect((await ledger.deployment(run.deploymentId))?.lastNumber).to.equal(2);
    });

    it('of one number are never two', async () => {
      const run = await pendingRun();
      await appended(run, [event(run.id, 1)]);
      expect(await messageOf(appended(run, [event(run.id, 1)]))).not.to.equal(null);
      expect((await ledger.deployment(run.deploymentId))?.lastNumber).to.equal(1);
    });

    it('come with what they make of their runs, in one', async () => {
      const { deploymentId, ...one } = await pendingRun();
      const other = await ledger.insertRun(newRun(deploymentId, { host: 'web-2' }));
      await ledger.moveRun(one.id, 'pending', 'dispatched', { dispatched: true });
      const cancelReason = reason('cancelled', 'ana stopped it');
      await ledger.moveRun(one.id, 'dispatched', 'dispatched', { cancelReason });
      const before = (await ledger.run(one.id)) as RunRow;
      const changed = {
        status: 'succeeded',
        lastSeq: 2,
        reason: reason('run_failed', 'it did'),
        currentStep: { name: 'stage', startedAt: new Date('2026-05-02T00:00:00Z'), timeoutMs: 7 },
        previousRelease: 'old',
        previousProvenGood: true,
        migration: MigrationState.fromPartial({ revision: '0007' }),
        liveRelease: 'new',
        settled: true,
        unhealthy: true,
      } as const;
      const runs = [
        { ...before, ...changed, from: 'dispatched' as const, cancelReason: null, cancelAskedAt: null },
        { ...other, lastSeq: 1, from: 'pending' as const },
      ];
      const events = [event(one.id, 1), event(other.id, 1), event(one.id, 2)];
      await ledger.transaction(async (tx) => {
        await tx.holdDeployment(deploymentId);
        await tx.writeReported({ deploymentId, events, runs });
      });
      const after = (await ledger.run(one.id)) as RunRow;
      expect(after).to.deep.include({ ...changed, cancelReason, dispatchedAt: before.dispatchedAt });
      expect([after.startedAt, after.finishedAt].every((at) => at instanceof Date)).to.equal(true);
      expect(await ledger.run(other.id)).to.deep.equal({ ...other, lastSeq: 1 });
      const stored = await ledger.eventsOf(deploymentId, 0, 9);
      expect(stored.map(({ number, runId, event: { seq } }) => [number, runId, seq])).to.deep.equal([
        [1, one.id, 1],
        [2, other.id, 1],
        [3, one.id, 2],
      ]);
    });

    it('are refused with all that comes with them when a run is not as it was', async () => {
      const run = await pendingRun();
      const { deploymentId } = run;
      const writing = ledger.transaction(async (tx) => {
        await tx.holdDeployment(deploymentId);
        const runs = [{ ...run, lastSeq: 1, from: 'running' as const }];
        await tx.writeReported({ deploymentId, events: [event(run.id, 1)], runs });
      });
      expect(await messageOf(writing)).to.contain('moved while it was held');
      expect(await ledger.eventsOf(deploymentId, 0, 9)).to.deep.equal([]);
      expect(await ledger.run(run.id)).to.deep.equal(run);
    });

    it('share the numbers of the deployment with its own changes', async () => {
      const run = await pendingRun();
      const other = await ledger.insertRun(newRun(run.deploymentId, { host: 'web-2', phase: 'release' }));
      await appended(run, [event(run.id, 1)]);
      await ledger.moveDeployment(run.deploymentId, 'queued', 'running');
      await appended(other, [event(other.id, 1)]);
      await appended(run, [event(run.id, 2, 'second')]);
      const row = (await ledger.deployment(run.deploymentId)) as DeploymentRow;
      expect(row).to.include({ lastNumber: 4, changedNumber: 2 });
      const events = await ledger.eventsOf(run.deploymentId, 0, 10);
      expect(events.map(({ number, host, phase, runId }) => [number, host, phase, runId])).to.deep.equal([
        [1, 'web-1', 'prepare', run.id],
        [3, 'web-2', 'release', other.id],
        [4, 'web-1', 'prepare', run.id],
      ]);
      expect(events.at(-1)?.event).to.deep.equal(event(run.id, 2, 'second'));
      expect((await ledger.eventsOf(run.deploymentId, 1, 1)).map((one) => one.number)).to.deep.equal([3]);
      expect(await ledger.eventsOf(run.deploymentId, 4, 10)).to.deep.equal([]);
      expect(await ledger.eventsOf('nobody', 0, 10)).to.deep.equal([]);
    });

    it('of several hosts get each its own number when they come at once', async () => {
      const { id: deploymentId } = await ledger.insertDeployment(newDeployment());
      const runs = await Promise.all(
        ['a', 'b', 'c', 'd'].map(async (host) => await ledger.insertRun(newRun(deploymentId, { host }))),
      );
      const all = runs.flatMap((run) => [1, 2, 3].map((seq) => ({ run, seq })));
      for (const seq of [1, 2, 3]) {
        const now = all.filter((one) => one.seq === seq);
        await Promise.all(now.map(async ({ run }) => await appended(run, [event(run.id, seq)])));
      }
      const numbers = (await ledger.eventsOf(deploymentId, 0, 100)).map((one) => one.number);
      expect(numbers).to.deep.equal(all.map((_, index) => index + 1));
    });

    it('of an unknown run are an error', async () => {
      const { deploymentId } = await pendingRun();
      expect(await messageOf(appended({ id: 'nobody', deploymentId }, [event('nobody', 1)]))).not.to.equal(
        null,
      );
    });
  });

  describe('output', () => {
    it('is appended where it ends, skips what is known, and refuses a gap', async () => {
      const run = await pendingRun();
      expect(await appendLog(ledger, chunk(run, 0, 'hello '))).to.equal(6);
      expect(await appendLog(ledger, chunk(run, 6, 'world'))).to.equal(11);
      expect(await appendLog(ledger, chunk(run, 0, 'hello '))).to.equal(6 + 5);
      expect(await appendLog(ledger, chunk(run, 6, 'world!!'))).to.equal(13);
      expect(await appendLog(ledger, chunk(run, 20, 'too far'))).to.equal(13);
      expect(await appendLog(ledger, chunk(run, 13, ''))).to.equal(13);
      expect(await ledger.logPositions(run.id)).to.deep.equal([{ step: 'stage', attempt: 1, offset: 13 }]);
    });

    it('is counted by run, step and attempt', async () => {
      const run = await pendingRun();
      const other = await ledger.insertRun(newRun(run.deploymentId, { host: 'web-2' }));
      await appendLog(ledger, { ...chunk(run, 0, 'b'), step: 'stage' });
      await appendLog(ledger, { ...chunk(run, 0, 'aa'), step: 'fetch' });
      await appendLog(ledger, { ...chunk(run, 0, 'ccc'), attempt: 2 });
      await appendLog(ledger, chunk(other, 0, 'dddd'));
      expect(await ledger.logPositions(run.id)).to.have.deep.members([
        { step: 'fetch', attempt: 1, offset: 2 },
        { step: 'stage', attempt: 1, offset: 1 },
        { step: 'stage', attempt: 2, offset: 3 },
      ]);
      expect(await ledger.logPositions('nobody')).to.deep.equal([]);
    });

    it('of several steps is appended together, each where it ends', async () => {
      const run = await pendingRun();
      const other = await ledger.insertRun(newRun(run.deploymentId, { host: 'web-2' }));
      await appendLog(ledger, chunk(run, 0, 'known'));
      const ends = await ledger.appendLogs([
        { ...chunk(run, 0, 'first'), attempt: 2 },
        chunk(other, 3, 'a gap'),
        chunk(run, 2, 'own and new'),
        { ...chunk(other, 0, ''), step: 'fetch', truncated: true },
        { ...chunk(other, 0, 'last'), step: 'restart' },
      ]);
      expect(ends).to.deep.equal([5, 0, 13, 0, 4]);
      expect(await ledger.logPositions(run.id)).to.have.deep.members([
        { step: 'stage', attempt: 1, offset: 13 },
        { step: 'stage', attempt: 2, offset: 5 },
      ]);
    });

    it('that was cut ends there, with or without bytes, however often that is said', async () => {
      const run = await pendingRun();
      await appendLog(ledger, chunk(run, 0, 'abc'));
      expect(await appendLog(ledger, { ...chunk(run, 3, ''), truncated: true })).to.equal(3);
      expect(await appendLog(ledger, { ...chunk(run, 3, ''), truncated: true })).to.equal(3);
      expect(await appendLog(ledger, chunk(run, 3, 'more'))).to.equal(3);
      const second = { ...chunk(run, 0, 'xyz'), attempt: 2, truncated: true };
      expect(await appendLog(ledger, second)).to.equal(3);
      expect(await appendLog(ledger, second)).to.equal(3);
      expect(await appendLog(ledger, { ...second, offset: 3 })).to.equal(3);
    });

    it('sent twice at the same time is stored once', async () => {
      const run = await pendingRun();
      const ends = await Promise.all(
        [1, 2, 3, 4].map(async () => await appendLog(ledger, chunk(run, 0, 'same bytes'))),
      );
      expect(ends).to.deep.equal([10, 10, 10, 10]);
      expect(await appendLog(ledger, chunk(run, 10, '.'))).to.equal(11);
    });

    it('of an unknown run is an error', async () => {
      const { deploymentId } = await pendingRun();
      expect(await messageOf(appendLog(ledger, chunk({ id: 'nobody', deploymentId }, 0, 'x')))).not.to.equal(
        null,
      );
    });
  });

  describe('agents', () => {
    it('are enrolled, and enrolled again', async () => {
      const row = await ledger.enrolAgent(enrolled());
      expect(row).to.deep.include(enrolled());
      expect(row).to.deep.include({
        revokedAt: null,
        controllerId: null,
        epoch: 0,
        leaseExpiresAt: null,
        live: [],
      });
      expect(await ledger.agent('web-1')).to.deep.equal(row);
      expect(await ledger.agent('nobody')).to.equal(null);
      await ledger.takeLease('web-1', lease());
      await ledger.revokeAgent('web-1');
      const again = await ledger.enrolAgent(
        enrolled('web-1', { labels: { role: 'db' }, certificateSerial: '02' }),
      );
      expect(again).to.deep.include({
        labels: { role: 'db' },
        certificateSerial: '02',
        revokedAt: null,
        controllerId: null,
        epoch: 2,
      });
      expect(await ledger.holdLease('web-1', 1), 'a stream of the earlier enrolment').to.equal(false);
      await ledger.enrolAgent(enrolled('batch-1'));
      expect((await ledger.agents()).map((one) => one.name)).to.deep.equal(['batch-1', 'web-1']);
    });

    it('change their certificate and what is live', async () => {
      await ledger.enrolAgent(enrolled());
      const expires = new Date('2027-01-01T00:00:00Z');
      await ledger.setCertificate('web-1', '77', expires);
      await ledger.setLive(new Map([['web-1', lease().live]]));
      expect(await ledger.agent('web-1')).to.deep.include({
        certificateSerial: '77',
        certificateExpiresAt: expires,
        live: lease().live,
      });
      await ledger.setLive(new Map([['web-1', []]]));
      expect((await ledger.agent('web-1'))?.live).to.deep.equal([]);
    });

    it('have a lease that a newer connection takes over', async () => {
      await ledger.enrolAgent(enrolled());
      expect(await ledger.takeLease('web-1', lease())).to.equal(1);
      const row = await ledger.agent('web-1');
      expect(row).to.deep.include({
        controllerId: 'c_1',
        epoch: 1,
        agentVersion: '0.1.0',
        bootId: 'boot',
        instanceId: 'instance',
        live: lease().live,
      });
      expect(Number(row?.leaseExpiresAt)).to.be.above((await ledger.now()).getTime());
      expect(row?.lastSeenAt).to.be.instanceOf(Date);
      expect(await ledger.renewLease('web-1', 1, 60_000)).to.equal(true);
      expect(await ledger.holdLease('web-1', 1)).to.equal(true);
      expect(await ledger.takeLease('web-1', lease({ controllerId: 'c_2' }))).to.equal(2);
      expect(await ledger.renewLease('web-1', 1, 60_000)).to.equal(false);
      expect(await ledger.holdLease('web-1', 1)).to.equal(false);
      await ledger.endLease('web-1', 1);
      expect((await ledger.agent('web-1'))?.controllerId).to.equal('c_2');
    });

    it('are here while the lease is valid; an expired one can be renewed, an ended one not', async () => {
      await ledger.enrolAgent(enrolled());
      await ledger.takeLease('web-1', lease({ leaseMs: -1 }));
      expect(await ledger.agent('web-1')).to.include({ controllerId: null, epoch: 1 });
      expect(await ledger.renewLease('web-1', 1, 60_000)).to.equal(true);
      expect(await ledger.agent('web-1')).to.include({ controllerId: 'c_1' });
      expect((await ledger.agents())[0]).to.include({ controllerId: 'c_1' });
      await ledger.endLease('web-1', 1);
      const row = await ledger.agent('web-1');
      expect(row).to.include({ controllerId: null, epoch: 1 });
      expect(Number(row?.leaseExpiresAt)).to.be.at.most((await ledger.now()).getTime());
      expect(await ledger.renewLease('web-1', 1, 60_000)).to.equal(false);
      expect(await ledger.holdLease('web-1', 1)).to.equal(true);
    });

    it('that are revoked or unknown get no lease and keep none', async () => {
      await ledger.enrolAgent(enrolled());
      await ledger.takeLease('web-1', lease());
      expect(await ledger.revokeAgent('web-1')).to.equal(true);
      expect(await ledger.revokeAgent('web-1')).to.equal(false);
      expect(await ledger.revokeAgent('nobody')).to.equal(false);
      expect(await ledger.renewLease('web-1', 1, 60_000)).to.equal(false);
      expect(await ledger.holdLease('web-1', 1)).to.equal(false);
      expect(await ledger.takeLease('web-1', lease())).to.equal(null);
      expect(await ledger.takeLease('nobody', lease())).to.equal(null);
      expect(await ledger.agent('web-1')).to.include({ controllerId: null });
      expect((await ledger.agent('web-1'))?.revokedAt).to.be.instanceOf(Date);
    });

    it('get each their own epoch when connections race', async () => {
      await ledger.enrolAgent(enrolled());
      const epochs = await Promise.all(
        [1, 2, 3, 4].map(async () => await ledger.takeLease('web-1', lease())),
      );
      expect([...epochs].sort((a, b) => Number(a) - Number(b))).to.deep.equal([1, 2, 3, 4]);
      expect(
        await Promise.all([1, 2, 3, 4].map(async (epoch) => await ledger.holdLease('web-1', epoch))),
      ).to.deep.equal([false, false, false, true]);
    });

    it('are held with the runs they report on, and not with those of others', async () => {
      await ledger.enrolAgent(enrolled());
      await ledger.takeLease('web-1', lease());
      const { id: deploymentId } = await ledger.insertDeployment(newDeployment());
      const run = await ledger.insertRun(newRun(deploymentId, { host: 'web-1' }));
      const other = await ledger.insertRun(newRun(deploymentId, { host: 'web-2' }));
      const runIds = [run.id, other.id, 'nobody'];
      const own = { agent: 'web-1', epoch: 1, runIds, changing: runIds };
      const all = await ledger.holdReported([own]);
      expect(all.runs).to.deep.equal([run]);
      expect(all.leased.get('web-1')).to.deep.include({ epoch: 1, live: lease().live });
      expect(all.now.getTime()).to.be.closeTo((await ledger.now()).getTime(), 5_000);
      const read = await ledger.holdReported([{ ...own, runIds: [run.id], changing: [] }]);
      expect(read.runs).to.deep.equal([run]);
      expect([...read.leased.keys()]).to.deep.equal(['web-1']);
      const late = await ledger.holdReported([{ ...own, epoch: 2 }]);
      expect(late).to.deep.include({ runs: [run], leased: new Map() });
      expect((await ledger.holdReported([{ ...own, runIds: ['nobody'] }])).runs).to.deep.equal([]);
    });

    it('of several agents are held together, each by its own lease', async () => {
      const { id: deploymentId } = await ledger.insertDeployment(newDeployment());
      const hosts = ['web-1', 'web-2', 'web-3'];
      for (const name of hosts) {
        await ledger.enrolAgent(enrolled(name));
        await ledger.takeLease(name, { ...lease(), live: [] });
      }
      const runs = await Promise.all(hosts.map((host) => ledger.insertRun(newRun(deploymentId, { host }))));
      await ledger.revokeAgent('web-3');
      const [one, two, three] = runs as [RunRow, RunRow, RunRow];
      const held = await ledger.holdReported([
        { agent: 'web-1', epoch: 1, runIds: [one.id], changing: [one.id] },
        // Another one's run, and one's own.
        { agent: 'web-2', epoch: 1, runIds: [one.id, two.id], changing: [one.id] },
        { agent: 'web-3', epoch: 1, runIds: [three.id], changing: [] },
      ]);
      expect(held.runs).to.have.deep.members(runs);
      expect([...held.leased.keys()]).to.have.members(['web-1', 'web-2']);
    });

    it('are dispatched together what waits for them, each by its own epoch', async () => {
      const { id: deploymentId } = await ledger.insertDeployment(newDeployment());
      for (const name of ['web-1', 'web-2', 'web-3', 'web-4']) {
        await ledger.enrolAgent(enrolled(name));
        await ledger.takeLease(name, lease());
      }
      const insert = (host: string, phase: RunPhase) =>
        ledger.insertRun(newRun(deploymentId, { host, phase }));
      const [waiting, running, over] = [
        await insert('web-1', 'release'),
        await insert('web-1', 'prepare'),
        await insert('web-1', 'migrate'),
      ];
      await ledger.moveRun(running.id, 'pending', 'dispatched', { dispatched: true });
      await ledger.moveRun(running.id, 'dispatched', 'running', { started: true });
      await ledger.moveRun(over.id, 'pending', 'cancelled');
      const other = await insert('web-2', 'prepare');
      const late = await insert('web-3', 'prepare');
      const { runs, leased } = await ledger.dispatchPending([
        { agent: 'web-1', epoch: 1 },
        { agent: 'web-1', epoch: 0 },
        { agent: 'web-2', epoch: 1 },
        { agent: 'web-3', epoch: 0 },
        { agent: 'web-4', epoch: 1 },
      ]);
      expect(runs.map(({ id, status }) => [id, status])).to.deep.equal([
        [waiting.id, 'dispatched'],
        [running.id, 'running'],
        [other.id, 'dispatched'],
      ]);
      expect(runs[0]).to.deep.equal(await ledger.run(waiting.id));
      expect(runs[0]?.dispatchedAt).to.be.instanceOf(Date);
      expect([...leased]).to.have.deep.members([
        ['web-1', 1],
        ['web-2', 1],
        ['web-4', 1],
      ]);
      expect((await ledger.run(late.id))?.status).to.equal('pending');
      expect(await ledger.dispatchPending([])).to.deep.equal({ runs: [], leased: new Map() });
    });

    it('keep their lease while a transaction holds it', async () => {
      await ledger.enrolAgent(enrolled());
      await ledger.takeLease('web-1', lease());
      const order: string[] = [];
      const { promise: held, resolve: hold } = signal();
      const holding = ledger.transaction(async (tx) => {
        await tx.holdLease('web-1', 1);
        hold();
        await tx.now();
        order.push('written');
      });
      await held;
      const taking = ledger.takeLease('web-1', lease()).then(() => order.push('taken over'));
      await Promise.all([holding, taking]);
      expect(order).to.deep.equal(['written', 'taken over']);
    });
  });

  describe('join tokens', () => {
    it('are kept by their hash and used with a key', async () => {
      const expiresAt = new Date('2026-05-02T00:00:00Z');
      const token = { tokenHash: 'h1', name: 'web-1', labels: { zone: 'a' }, createdBy: 'ana', expiresAt };
      await ledger.insertJoinToken(token);
      expect(await ledger.holdJoinToken('h1')).to.deep.equal({ ...token, usedAt: null, usedByKey: null });
      await ledger.useJoinToken('h1', 'key-1');
      const used = await ledger.holdJoinToken('h1');
      expect(used?.usedByKey).to.equal('key-1');
      expect(used?.usedAt).to.be.instanceOf(Date);
      expect(await ledger.holdJoinToken('h2')).to.equal(null);
    });

    it('are used once when two hosts try at the same time', async () => {
      await ledger.insertJoinToken({
        tokenHash: 'h',
        name: 'w',
        labels: {},
        createdBy: 'ana',
        expiresAt: new Date(),
      });
      const use = async (key: string) =>
        await ledger.transaction(async (tx) => {
          const token = await tx.holdJoinToken('h');
          if (token?.usedAt !== null) return false;
          await tx.useJoinToken('h', key);
          return true;
        });
      expect((await Promise.all(['a', 'b', 'c'].map(use))).filter(Boolean)).to.have.lengthOf(1);
    });
  });

  describe('deliveries', () => {
    it('are claimed once, also by two at the same time', async () => {
      const results = await Promise.all([1, 2, 3].map(async () => await ledger.claimDelivery(newDelivery())));
      const won = results.filter((row) => row !== null);
      expect(won).to.have.lengthOf(1);
      expect(won[0]).to.include({ claimed: true, deliveryId: 'delivery-1' });
      expect(await ledger.claimDelivery(newDelivery({ provider: 'gitlab' }))).not.to.equal(null);
      expect(await ledger.claimDelivery(newDelivery({ deliveryId: 'delivery-2' }))).not.to.equal(null);
    });

    it('are not claimed when the transaction fails', async () => {
      const failed = ledger.transaction(async (tx) => {
        expect(await tx.claimDelivery(newDelivery())).not.to.equal(null);
        throw new Error('no');
      });
      const waiting = ledger.claimDelivery(newDelivery());
      await messageOf(failed);
      const late = await waiting;
      expect(late ?? (await ledger.claimDelivery(newDelivery()))).not.to.equal(null);
    });

    it('keep what came, byte for byte', async () => {
      const wanted = newDelivery({
        reason: reason('no_target', 'nothing is deployed from here'),
        tag: 'v1',
        verdict: 'ignored',
      });
      const row = await ledger.claimDelivery(wanted);
      expect(row).to.deep.include(wanted);
      expect(row?.receivedAt).to.be.instanceOf(Date);
      expect(await ledger.holdClaimed('github', 'delivery-1')).to.deep.equal(row);
      const refused = newDelivery({
        verdict: 'bad_signature',
        deliveryId: '',
        body: null,
        matchedSecret: null,
      });
      expect(await ledger.insertDelivery(refused)).to.deep.include({
        ...refused,
        claimed: false,
        deployments: [],
      });
      expect(
        await ledger.insertDelivery(newDelivery({ verdict: 'bad_signature', deliveryId: '' })),
      ).to.include({ claimed: false });
    });

    it('give their claim up to a newer one, and name what they started', async () => {
      const first = await ledger.claimDelivery(newDelivery());
      const one = await ledger.insertDeployment(newDeployment({ webhookId: first?.id ?? '' }));
      const two = await ledger.insertDeployment(
        newDeployment({ webhookId: first?.id ?? '', environment: 'staging' }),
      );
      const held = await ledger.transaction(async (tx) => await tx.holdClaimed('github', 'delivery-1'));
      expect(held?.deployments).to.deep.equal([one.id, two.id]);
      await ledger.insertDelivery(newDelivery({ verdict: 'duplicate', originalId: first?.id ?? null }));
      await ledger.releaseClaim(first?.id ?? '');
      expect(await ledger.holdClaimed('github', 'delivery-1')).to.equal(null);
      const second = await ledger.claimDelivery(newDelivery());
      expect((await ledger.holdClaimed('github', 'delivery-1'))?.id).to.equal(second?.id);
      expect(await ledger.holdClaimed('gitlab', 'delivery-1')).to.equal(null);
    });
  });

  describe('deliveries that are looked at again', () => {
    it('are held whole, and know what any of their rows started', async () => {
      const first = await ledger.claimDelivery(newDelivery({ fraises: ['shop'], matchedSecret: null }));
      const replay = await ledger.insertDelivery(
        newDelivery({ originalId: first?.id ?? null, replayedBy: 'ana' }),
      );
      const other = await ledger.insertDelivery(newDelivery({ deliveryId: 'another' }));
      const ids: string[] = [];
      for (const { id } of [first as DeliveryRow, replay, other]) {
        ids.push((await ledger.insertDeployment(newDeployment({ webhookId: id }))).id);
      }
      expect(replay).to.include({ replayedBy: 'ana', claimed: false });
      expect(await ledger.transaction(async (tx) => await tx.holdDelivery(first?.id ?? ''))).to.deep.equal({
        ...first,
        replayedBy: null,
        fraises: ['shop'],
        deployments: [ids[0]],
      });
      expect(await ledger.holdDelivery('nobody')).to.equal(null);
      expect((await ledger.startedBy('github', 'delivery-1')).map((one) => one.id)).to.deep.equal(
        ids.slice(0, 2),
      );
      expect(await ledger.startedBy('gitlab', 'delivery-1')).to.deep.equal([]);
    });
  });

  describe('work for a stream', () => {
    const question = new Uint8Array([1, 0, 255]);

    async function aStream(): Promise<number> {
      await ledger.enrolAgent(enrolled());
      return (await ledger.takeLease('web-1', lease())) as number;
    }

    it('is nothing for an idle one, nor what is over or another host’s', async () => {
      const epoch = await aStream();
      expect(await ledger.hasWork('web-1', epoch)).to.equal(false);
      await ledger.insertQuestion({ id: 'q_1', host: 'web-1', question, deadlineMs: -1 });
      await ledger.insertQuestion({ id: 'q_2', host: 'web-2', question, deadlineMs: 60_000 });
      expect(await ledger.hasWork('web-1', epoch)).to.equal(false);
    });

    it('is a run until it is over', async () => {
      const epoch = await aStream();
      const { id } = await pendingRun();
      expect(await ledger.hasWork('web-1', epoch)).to.equal(true);
      await ledger.moveRun(id, 'pending', 'skipped', { finished: true });
      expect(await ledger.hasWork('web-1', epoch)).to.equal(false);
    });

    it('is an open question until it is answered', async () => {
      const epoch = await aStream();
      await ledger.insertQuestion({ id: 'q_1', host: 'web-1', question, deadlineMs: 60_000 });
      expect(await ledger.hasWork('web-1', epoch)).to.equal(true);
      await ledger.answerQuestion('q_1', 'web-1', question);
      expect(await ledger.hasWork('web-1', epoch)).to.equal(false);
    });

    it('is to end, once it was replaced or revoked', async () => {
      const epoch = await aStream();
      expect(await ledger.hasWork('web-1', epoch - 1)).to.equal(true);
      await ledger.revokeAgent('web-1');
      expect(await ledger.hasWork('web-1', epoch)).to.equal(true);
    });
  });

  describe('questions', () => {
    const question = new Uint8Array([1, 0, 255]);

    it('are open until answered or too late, oldest first', async () => {
      await ledger.insertQuestion({ id: 'q_1', host: 'web-1', question, deadlineMs: 60_000 });
      await ledger.insertQuestion({ id: 'q_2', host: 'web-1', question, deadlineMs: 60_000 });
      await ledger.insertQuestion({ id: 'q_3', host: 'web-1', question, deadlineMs: -1 });
      await ledger.insertQuestion({ id: 'q_4', host: 'web-2', question, deadlineMs: 60_000 });
      expect(ids(await ledger.openQuestions('web-1'))).to.deep.equal(['q_1', 'q_2']);
      expect((await ledger.openQuestions('web-1'))[0]).to.deep.include({
        host: 'web-1',
        question,
        answer: null,
      });
      await ledger.answerQuestion('q_1', 'web-1', question);
      expect(ids(await ledger.openQuestions('web-1'))).to.deep.equal(['q_2']);
      expect(Number((await ledger.question('q_3'))?.expiresAt)).to.be.below((await ledger.now()).getTime());
      expect(await ledger.question('q_9')).to.equal(null);
    });

    it('are answered once, by their own host', async () => {
      await ledger.insertQuestion({ id: 'q_1', host: 'web-1', question, deadlineMs: 60_000 });
      expect(await ledger.answerQuestion('q_1', 'web-2', question)).to.equal(false);
      expect(await ledger.answerQuestion('q_9', 'web-1', question)).to.equal(false);
      const answers = [1, 2, 3].map((n) => new Uint8Array([n]));
      const taken = await Promise.all(
        answers.map(async (answer) => await ledger.answerQuestion('q_1', 'web-1', answer)),
      );
      expect(taken.filter(Boolean)).to.have.lengthOf(1);
      expect((await ledger.question('q_1'))?.answer).to.deep.equal(answers[taken.indexOf(true)]);
    });
  });

  describe('wake-ups', () => {
    const all: readonly WakeTopic[] = [
      { about: 'deployment', id: 'd_1' },
      { about: 'events', deploymentId: 'd_1' },
      { about: 'host', name: 'web-1' },
      { about: 'logs', deploymentId: 'd_1' },
      { about: 'question', id: 'q_1' },
    ];

    it('reach every listener, until it has enough', async () => {
      const heard: WakeTopic[] = [];
      const both = (topic: WakeTopic) => void heard.push(topic);
      const stops = [opened.waking.subscribe(both), opened.waking.subscribe(both)];
      for (const topic of all) await ledger.wake(topic);
      await until('ten wake-ups', () => heard.length === 10, { everyMs: 5 });
      expect(heard).to.deep.equal(all.flatMap((topic) => [topic, topic]));
      stops[0]?.();
      await ledger.wake({ about: 'host', name: 'last' });
      await until('the last wake-up', () => heard.length === 11, { everyMs: 5 });
      stops[1]?.();
    });

    it('are sent when the transaction commits, and only then', async () => {
      const heard: WakeTopic[] = [];
      const stop = opened.waking.subscribe((topic) => void heard.push(topic));
      const failed = ledger.transaction(async (tx) => {
        await tx.wake({ about: 'deployment', id: 'd_failed' });
        throw new Error('no');
      });
      await messageOf(failed);
      await ledger.transaction(async (tx) => {
        await tx.wake({ about: 'deployment', id: 'd_1' });
        await tx.now();
        expect(heard).to.deep.equal([]);
      });
      await until('the wake-up', () => heard.length > 0, { everyMs: 5 });
      expect(heard).to.deep.equal([{ about: 'deployment', id: 'd_1' }]);
      stop();
    });
  });

  describe('around', () => {
    it('takes audit entries and notifications', async () => {
      await ledger.audit({
        actor: 'ana',
        action: 'deployment_requested',
        subject: 'd_1',
        facts: { commit: 'c' },
      });
    });
  });

  describe('the outbox', () => {
    const told = (about: string, payload: unknown = null) =>
      ledger.outbox({ topic: 'deployment_ended', about, payload });
    const addressed = async (about: string, lane = 'a'): Promise<void> => {
      await told(about);
      const rows = await ledger.unaddressedNotifications(10);
      await ledger.addressNotifications(rows.map(({ number }) => ({ number, lane })));
    };
    const claim = (claimMs = 60_000, busyLanes: string[] = []) =>
      ledger.claimNotification({ busyLanes, claimMs });
    const claimed = async (claimMs?: number): Promise<NotificationRow> => {
      const row = await claim(claimMs);
      if (row === null) throw new Error('nothing was due');
      return row;
    };

    it('keeps what is put into it, oldest first, until somebody says where it goes', async () => {
      await told('x', { state: ['success'] });
      await told('y');
      const rows = await ledger.unaddressedNotifications(10);
      expect(rows.map(({ number: _, ...row }) => row)).to.deep.equal([
        { topic: 'deployment_ended', about: 'x', payload: { state: ['success'] }, lane: null, attempts: 0 },
        { topic: 'deployment_ended', about: 'y', payload: null, lane: null, attempts: 0 },
      ]);
      expect(await ledger.unaddressedNotifications(1)).to.have.length(1);
      expect(await claim()).to.equal(null);
    });

    it('keeps nothing of a transaction that failed', async () => {
      const work = ledger.transaction(async (tx) => {
        await tx.outbox({ topic: 'deployment_ended', about: 'x', payload: null });
        throw new Error('the work failed');
      });
      expect(await messageOf(work)).to.equal('the work failed');
      expect(await ledger.unaddressedNotifications(10)).to.deep.equal([]);
    });

    it('lets the first address stand', async () => {
      await told('x');
      await told('y');
      const [x = 0, y = 0] = (await ledger.unaddressedNotifications(10)).map(({ number }) => number);
      await ledger.addressNotifications([
        { number: x, lane: 'a' },
        { number: y, unwanted: 'nobody asked' },
      ]);
      await ledger.addressNotifications([
        { number: x, unwanted: 'too late' },
        { number: y, lane: 'b' },
        { number: 4_711, lane: 'b' },
      ]);
      await ledger.addressNotifications([]);
      expect(await claim()).to.include({ lane: 'a', about: 'x', attempts: 1 });
      expect(await claim()).to.equal(null);
      expect(await ledger.unaddressedNotifications(10)).to.deep.equal([]);
    });

    it('hands out one claim each, and nothing of a busy lane', async () => {
      await addressed('x', 'a');
      await addressed('y', 'b');
      expect(await claim(60_000, ['a', 'b'])).to.equal(null);
      expect(await claim(60_000, ['a'])).to.include({ about: 'y' });
      expect(await claim()).to.include({ about: 'x' });
      expect(await claim()).to.equal(null);
    });

    it('hands out each of many once to several that claim at once', async () => {
      for (const about of ['u', 'v', 'w', 'x', 'y', 'z']) await addressed(about);
      const claims = await Promise.all(Array.from({ length: 8 }, async () => (await claim())?.about ?? ''));
      expect(claims.toSorted()).to.deep.equal(['', '', 'u', 'v', 'w', 'x', 'y', 'z']);
    });

    it('hands out again what was claimed by somebody who never came back', async () => {
      await addressed('x');
      const lost = await claimed(1);
      const again = await until('the claim to run out', () => claim(), { everyMs: 5 });
      expect(again).to.include({ number: lost.number, attempts: 2 });
      expect(await ledger.endNotification(lost, { outcome: 'sent', error: null })).to.equal(false);
      expect(await ledger.retryNotification(lost, { afterMs: 0, error: 'late' })).to.equal(false);
      expect(await ledger.endNotification(again, { outcome: 'sent', error: null })).to.equal(true);
      expect(await ledger.endNotification(again, { outcome: 'given_up', error: 'no' })).to.equal(false);
      expect(await ledger.retryNotification(again, { afterMs: 0, error: 'no' })).to.equal(false);
      expect(await claim()).to.equal(null);
    });

    it('sends only the newest of several about the same', async () => {
      await addressed('x');
      await addressed('x');
      const newest = await claimed();
      await ledger.endNotification(newest, { outcome: 'sent', error: null });
      expect(newest.attempts).to.equal(1);
      expect(await claim()).to.equal(null);
      expect(await ledger.unaddressedNotifications(10)).to.deep.equal([]);
    });

    it('hands out nothing newer while an older one about the same is under way', async () => {
      await addressed('x');
      const older = await claimed();
      await addressed('x');
      expect(await claim()).to.equal(null);
      await ledger.endNotification(older, { outcome: 'sent', error: null });
      expect((await claimed()).number).to.be.above(older.number);
    });

    it('forgets an older one that waits for another attempt when a newer one is due', async () => {
      await addressed('x');
      const older = await claimed();
      await ledger.retryNotification(older, { afterMs: 60_000, error: 'away' });
      expect(await claim()).to.equal(null);
      await addressed('x');
      const newer = await claimed();
      expect(newer.number).to.be.above(older.number);
      await ledger.endNotification(newer, { outcome: 'sent', error: null });
      expect(await ledger.retryNotification(older, { afterMs: 0, error: 'away' })).to.equal(false);
      expect(await claim()).to.equal(null);
    });

    it('hands out what failed once it is due again', async () => {
      await addressed('x');
      await ledger.retryNotification(await claimed(), { afterMs: 0, error: 'away' });
      expect(await claim()).to.include({ about: 'x', attempts: 2 });
    });

    it('holds a whole lane back, and no other', async () => {
      await addressed('x', 'a');
      await addressed('y', 'a');
      await addressed('z', 'b');
      const late = await claimed();
      await ledger.retryNotification(late, { afterMs: 3_600_000, error: 'away' });
      await ledger.holdLane('a', 60_000);
      expect(await claim()).to.include({ about: 'z' });
      expect(await claim()).to.equal(null);
      await ledger.holdLane('a', 0);
      expect(await claim()).to.equal(null);
    });
  });

  async function pendingRun(): Promise<RunRow> {
    const { id } = await ledger.insertDeployment(newDeployment());
    return await ledger.insertRun(newRun(id));
  }

  /** As a caller does it: with the deployment's row held. */
  async function appended(
    { deploymentId }: Pick<RunRow, 'id' | 'deploymentId'>,
    events: readonly RunEvent[],
  ): Promise<void> {
    await ledger.transaction(async (tx) => {
      await tx.holdDeployment(deploymentId);
      await tx.writeReported({ deploymentId, events, runs: [] });
    });
  }

  async function ended(
    status: 'succeeded' | 'failed' | 'rolled_back',
    more: Parameters<typeof newDeployment>[0] = {},
    why: Reason | null = null,
  ): Promise<string> {
    const { id } = await ledger.insertDeployment(newDeployment(more));
    await ledger.moveDeployment(id, 'queued', 'running', { started: true });
    if (status === 'rolled_back') {
      await ledger.moveDeployment(id, 'running', 'rolling_back');
      await ledger.moveDeployment(id, 'rolling_back', status, { finished: true });
    } else {
      await ledger.moveDeployment(id, 'running', status, { finished: true, reason: why });
    }
    return id;
  }
}

const SKIPPED: Answer = { host: 'web-1', act: 'skip', by: 'ana', wasAway: true };

function configuration(text: string): { text: string; fileName: string; appliedBy: string } {
  return { text, fileName: 'fraises.yaml', appliedBy: 'ana' };
}

function ids(rows: readonly { readonly id: string }[]): string[] {
  return rows.map((row) => row.id);
}

function pairs<T>(all: readonly T[]): [T, T][] {
  return all.flatMap((from) => all.map((to): [T, T] => [from, to]));
}

function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

async function messageOf(work: Promise<unknown>): Promise<string | null> {
  return await work.then(
    () => null,
    (error: Error) => error.message,
  );
}

async function codeOf(work: Promise<unknown>): Promise<string | null> {
  return await work.then(
    () => null,
    (error: unknown) => (error instanceof FraisierError ? error.reason.code : String(error)),
  );
}
