import { expect } from 'chai';
import type { Knex } from 'knex';
import { createLedger } from '../../../controller/db/ledger.js';
import { removeOld, type Keeping } from '../../../controller/db/retention.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { testDatabase, type TestDatabase } from '../../support/database.js';
import { until } from '../../support/until.js';
import { appendLog, chunk, newDelivery, newDeployment, newRun } from './samples.js';

const DAY_MS = 86_400_000;
const FOR_EVER: Keeping = {
  bodiesMs: null,
  bodiesBytes: null,
  deliveriesMs: null,
  refusedMs: null,
  outputMs: null,
  questionsMs: null,
  notificationsMs: null,
};
const NOTHING = {
  bodiesMs: 0,
  bodiesBytes: 0,
  deliveriesMs: 0,
  refusedMs: 0,
  outputMs: 0,
  questionsMs: 0,
  notificationsMs: 0,
};

describe('what is no longer kept', function () {
  this.timeout(20_000);

  let test: TestDatabase;
  let db: Knex;
  let ledger: Ledger;

  beforeEach(async () => {
    test = await testDatabase();
    db = test.db;
    ledger = createLedger(db);
  });
  afterEach(async () => await test.close());

  /** Stores a delivery as it was received so many days ago. */
  async function received(daysAgo: number, more: Parameters<typeof newDelivery>[0] = {}): Promise<string> {
    const { id } = await ledger.insertDelivery(newDelivery({ body: new Uint8Array(100), ...more }));
    await db('tb_webhook_event')
      .where({ id })
      .update({ received_at: db.raw(`now() - ? * interval '1 day'`, [daysAgo]) });
    return id;
  }

  async function withBody(): Promise<readonly string[]> {
    const rows = await db('tb_webhook_event')
      .whereNotNull('body')
      .orderBy('position')
      .select<{ id: string }[]>('id');
    return rows.map((row) => row.id);
  }

  async function all(table: string): Promise<readonly string[]> {
    return (await db(table).orderBy('position').select<{ id: string }[]>('id')).map((row) => row.id);
  }

  it('is nothing when everything is kept for ever', async () => {
    await received(10_000);
    expect(await removeOld(db, FOR_EVER)).to.deep.equal(NOTHING);
    expect(await withBody()).to.have.lengthOf(1);
  });

  it('are bodies that are too old: the row and its id stay', async () => {
    const [old, young] = [await received(31), await received(29)];
    expect(await removeOld(db, { ...FOR_EVER, bodiesMs: 30 * DAY_MS })).to.deep.equal({
      ...NOTHING,
      bodiesMs: 1,
    });
    expect(await withBody()).to.deep.equal([young]);
    expect(await all('tb_webhook_event')).to.deep.equal([old, young]);
  });

  it('are the oldest bodies when all together are too large', async () => {
    const ids = [await received(3), await received(2), await received(1), await received(0)];
    expect(await removeOld(db, { ...FOR_EVER, bodiesBytes: 250 })).to.deep.equal({
      ...NOTHING,
      bodiesBytes: 2,
    });
    expect(await withBody()).to.deep.equal(ids.slice(2));
    expect(await removeOld(db, { ...FOR_EVER, bodiesBytes: 250 })).to.deep.equal(NOTHING);
  });

  it('are deliveries, and sooner those that were refused', async () => {
    await received(181);
    const kept = [await received(179), await received(6, { matchedSecret: null, verdict: 'bad_signature' })];
    await received(8, { matchedSecret: null, verdict: 'too_large', body: null });
    await received(8, { matchedSecret: null, verdict: 'pong', body: null });
    const keeping = { ...FOR_EVER, deliveriesMs: 180 * DAY_MS, refusedMs: 7 * DAY_MS };
    expect(await removeOld(db, keeping)).to.deep.equal({ ...NOTHING, deliveriesMs: 1, refusedMs: 2 });
    expect(await all('tb_webhook_event')).to.deep.equal(kept);
  });

  it('is never a delivery that waits, or that an unfinished deployment names', async () => {
    const pending = await received(1000, { verdict: 'pending' });
    const named = await received(1000);
    const { id } = await ledger.insertDeployment(newDeployment({ webhookId: named }));
    const keeping = { ...FOR_EVER, bodiesMs: DAY_MS, bodiesBytes: 1, deliveriesMs: DAY_MS };
    expect(await removeOld(db, keeping)).to.deep.equal(NOTHING);
    await ledger.moveDeployment(id, 'queued', 'running', { started: true });
    expect(await removeOld(db, keeping)).to.deep.equal(NOTHING);
    await ledger.moveDeployment(id, 'running', 'failed', { finished: true });
    expect(await removeOld(db, keeping)).to.deep.equal({ ...NOTHING, bodiesMs: 1, deliveriesMs: 1 });
    expect(await all('tb_webhook_event')).to.deep.equal([pending]);
    expect(await ledger.deployment(id)).to.include({ webhookId: named, status: 'failed' });
  });

  it('is the output of deployments that have ended, never the deployments', async () => {
    const ids: string[] = [];
    for (const fraise of ['running', 'ended']) {
      const { id } = await ledger.insertDeployment(newDeployment({ fraise }));
      const run = await ledger.insertRun(newRun(id));
      await appendLog(ledger, chunk({ id: run.id, deploymentId: id }, 0, 'hello'));
      ids.push(id);
    }
    await ledger.moveDeployment(ids[1] ?? '', 'queued', 'cancelled', { finished: true });
    await db('tb_run_log').update({ stored_at: db.raw(`now() - interval '91 days'`) });
    const keeping = { ...FOR_EVER, outputMs: 90 * DAY_MS };
    expect(await removeOld(db, keeping)).to.deep.equal({ ...NOTHING, outputMs: 1 });
    expect(await db('tb_run_log').select('deployment_id')).to.deep.equal([{ deployment_id: ids[0] }]);
    expect(await all('tb_deployment')).to.deep.equal(ids);
  });

  it('are questions long past their deadline', async () => {
    for (const id of ['q_old', 'q_young']) {
      await ledger.insertQuestion({ id, host: 'web-1', question: new Uint8Array([1]), deadlineMs: 1000 });
    }
    await db('tb_question')
      .where({ id: 'q_old' })
      .update({ expires_at: db.raw(`now() - interval '25 hours'`) });
    expect(await removeOld(db, { ...FOR_EVER, questionsMs: DAY_MS })).to.deep.equal({
      ...NOTHING,
      questionsMs: 1,
    });
    expect(await all('tb_question')).to.deep.equal(['q_young']);
  });

  it('are notifications that have ended, however they did, long after', async () => {
    for (const about of ['open', 'old', 'young']) {
      await ledger.outbox({ topic: 'deployment_ended', about, payload: null });
    }
    await db('tb_outbox')
      .where({ about: 'old' })
      .update({ ended_at: db.raw(`now() - interval '8 days'`), outcome: 'unwanted' });
    await db('tb_outbox')
      .where({ about: 'young' })
      .update({ ended_at: db.raw(`now() - interval '6 days'`), outcome: 'sent' });
    await db('tb_outbox').update({ created_at: db.raw(`now() - interval '1 year'`) });
    expect(await removeOld(db, { ...FOR_EVER, notificationsMs: 7 * DAY_MS })).to.deep.equal({
      ...NOTHING,
      notificationsMs: 1,
    });
    const left = await db('tb_outbox').orderBy('number').select<{ about: string }[]>('about');
    expect(left.map(({ about }) => about)).to.deep.equal(['open', 'young']);
  });

  it('is not held up by whoever claims a notification at that moment', async () => {
    await received(100);
    for (let n = 0; n < 2; n += 1) {
      await ledger.outbox({ topic: 'deployment_ended', about: 'the same', payload: null });
    }
    const rows = await ledger.unaddressedNotifications(10);
    await ledger.addressNotifications(rows.map(({ number }) => ({ number, lane: 'a' })));
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    let claiming: Promise<unknown> = Promise.resolve();
    await db.transaction(async (tx) => {
      await tx.raw('select from tb_outbox for update');
      claiming = ledger.claimNotification({ busyLanes: [], claimMs: 1000 });
      await until('the claim to wait', async () => (await db.raw<{ rows: [] }>(waiting)).rows.length > 0);
      expect(await removeOld(db, { ...FOR_EVER, bodiesMs: DAY_MS })).to.include({ bodiesMs: 1 });
    });
    expect(await claiming).to.include({ number: rows[1]?.number });
  });

  it('goes in batches until nothing is left', async () => {
    await db.raw(`insert into tb_question (id, host, question, expires_at)
      select 'q_' || n, 'web-1', ''::bytea, now() - interval '2 days' from generate_series(1, 1200) n`);
    expect(await removeOld(db, { ...FOR_EVER, questionsMs: DAY_MS })).to.include({ questionsMs: 1200 });
  });

  it('is left to the controller that is at it', async () => {
    await received(100);
    await db.transaction(async (tx) => {
      await tx.raw('select pg_advisory_xact_lock(7246002)');
      expect(await removeOld(db, { ...FOR_EVER, bodiesMs: DAY_MS })).to.equal(null);
    });
    expect(await removeOld(db, { ...FOR_EVER, bodiesMs: DAY_MS })).to.include({ bodiesMs: 1 });
  });
});
