import { expect } from 'chai';
import type { Knex } from 'knex';
import { createLedger } from '../../../controller/db/ledger.js';
import { createRecords } from '../../../controller/db/records.js';
import { select } from '../../../controller/db/row.js';
import type { DeliveryQuery, LogQuery, Records, StoredLog } from '../../../controller/deployments/records.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { testDatabase } from '../../support/database.js';
import type { TestDatabase } from '../../support/database.js';
import { until } from '../../support/until.js';
import { appendLog, chunk, newDelivery, newDeployment, newRun } from './samples.js';

const EVERY = { fraise: null, since: null };
const ALL = { fraise: null, environment: null, since: null, cursor: null, limit: 100 };

describe('the records', function () {
  this.timeout(20_000);

  let test: TestDatabase;
  let db: Knex;
  let ledger: Ledger;
  let records: Records;

  beforeEach(async () => {
    test = await testDatabase();
    db = test.db;
    ledger = createLedger(db);
    records = createRecords(db);
  });
  afterEach(async () => await test.close());

  describe('list deployments', () => {
    it('newest first, page by page, each once', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 5; n += 1) ids.unshift((await ledger.insertDeployment(newDeployment())).id);
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await records.deployments({ ...ALL, limit: 2, cursor });
        expect(page.rows.length).to.be.at.most(2);
        seen.push(...page.rows.map((row) => row.id));
        cursor = page.next;
        if (seen.length === 2) await ledger.insertDeployment(newDeployment());
      } while (cursor !== null);
      expect(seen).to.deep.equal(ids);
      expect(await records.deployments({ ...ALL, limit: 6 })).to.have.property('next', null);
    });

    it('of one fraise, of one environment, since a moment, whole', async () => {
      const row = await ledger.insertDeployment(newDeployment());
      await ledger.insertDeployment(newDeployment({ fraise: 'other' }));
      await ledger.insertDeployment(newDeployment({ environment: 'staging' }));
      expect(
        (await records.deployments({ ...ALL, fraise: 'checkout', environment: 'production' })).rows,
      ).to.deep.equal([row]);
      const hour = 3_600_000;
      const now = (await ledger.now()).getTime();
      expect((await records.deployments({ ...ALL, since: new Date(now + hour) })).rows).to.deep.equal([]);
      expect((await records.deployments({ ...ALL, since: new Date(now - hour) })).rows).to.have.lengthOf(3);
    });

    it('and refuse a cursor that is none', async () => {
      const failure: unknown = await records.deployments({ ...ALL, cursor: '1; drop' }).then(
        () => null,
        (error: unknown) => error,
      );
      expect(failure).to.be.instanceOf(FraisierError);
      expect((failure as FraisierError).reason.code).to.equal('usage');
    });
  });

  describe('list deliveries', () => {
    it('newest first, by verdict, with what they started', async () => {
      const first = await ledger.claimDelivery(newDelivery());
      const second = await ledger.insertDelivery(newDelivery({ verdict: 'duplicate' }));
      const { id } = await ledger.insertDeployment(newDeployment({ webhookId: first?.id ?? '' }));
      const page = await records.deliveries({ ...EVERY, limit: 1, cursor: null, verdict: null });
      expect(page.rows).to.deep.equal([{ ...second, body: null, bodyBytes: 4 }]);
      const rest = await records.deliveries({ ...EVERY, limit: 1, cursor: page.next, verdict: null });
      expect(rest).to.deep.equal({
        rows: [{ ...first, body: null, bodyBytes: 4, deployments: [id] }],
        next: null,
      });
      expect(
        (await records.deliveries({ ...EVERY, limit: 9, cursor: null, verdict: 'deployed' })).rows,
      ).to.have.lengthOf(1);
      expect(await records.delivery('nobody', true)).to.equal(null);
    });

    it('of one fraise, or since a moment', async () => {
      const shop = await ledger.insertDelivery(newDelivery({ fraises: ['shop'] }));
      const both = await ledger.insertDelivery(newDelivery({ fraises: ['cart', 'shop'] }));
      await ledger.insertDelivery(newDelivery());
      const ids = async (query: Partial<DeliveryQuery>): Promise<readonly string[]> =>
        (await records.deliveries({ ...EVERY, limit: 9, cursor: null, verdict: null, ...query })).rows.map(
          (row) => row.id,
        );
      expect(await ids({ fraise: 'shop' })).to.deep.equal([both.id, shop.id]);
      expect(await ids({ fraise: 'cart' })).to.deep.equal([both.id]);
      expect(await ids({ since: both.receivedAt })).to.have.lengthOf(2);
      expect(await ids({ since: new Date(Date.now() + 60_000) })).to.deep.equal([]);
    });
  });

  describe('show a delivery', () => {
    it('with what repeats it, and with its body when that is asked for', async () => {
      const first = await ledger.claimDelivery(newDelivery());
      const repeat = { verdict: 'duplicate', originalId: first?.id ?? null } as const;
      const second = await ledger.insertDelivery(newDelivery(repeat));
      const replay = await ledger.insertDelivery(newDelivery({ ...repeat, replayedBy: 'ana', body: null }));
      const whole = { ...first, bodyBytes: 4, repeatedBy: [second.id, replay.id] };
      expect(await records.delivery(first?.id ?? '', true)).to.deep.equal(whole);
      expect(await records.delivery(first?.id ?? '', false)).to.deep.equal({ ...whole, body: null });
      expect(await records.delivery(replay.id, true)).to.deep.equal({
        ...replay,
        bodyBytes: null,
        repeatedBy: [],
      });
    });
  });

  describe('count', () => {
    it('nothing when nothing ended', async () => {
      await ledger.insertDeployment(newDeployment());
      const nothing = { p50: null, p95: null };
      expect(await records.stats({ fraise: null, days: 30 })).to.deep.equal({
        total: 0,
        succeeded: 0,
        failed: 0,
        rolledBack: 0,
        cancelled: 0,
        superseded: 0,
        durationMs: nothing,
        leadTimeMs: nothing,
        timeToRestoreMs: nothing,
      });
    });

    it('ends by status, within the days, of one fraise or all', async () => {
      for (const status of [
        'succeeded',
        'succeeded',
        'unchanged',
        'failed',
        'rollback_failed',
        'rolled_back',
        'cancelled',
        'superseded',
      ]) {
        await past({ status, from: 100, to: 90 });
      }
      await past({ status: 'succeeded', from: 100, to: 90, fraise: 'other' });
      await past({ status: 'succeeded', from: 3 * 86_400, to: 3 * 86_400 - 10 });
      const counts = { succeeded: 2, failed: 2, rolledBack: 1, cancelled: 1, superseded: 1 };
      expect(await records.stats({ fraise: 'checkout', days: 2 })).to.include({ total: 8, ...counts });
      expect(await records.stats({ fraise: 'checkout', days: 4 })).to.include({ total: 9, succeeded: 3 });
      expect(await records.stats({ fraise: null, days: 2 })).to.include({ total: 9, succeeded: 3 });
    });

    it('how long deployments took: median and the 95th of a hundred', async () => {
      for (let second = 1; second <= 21; second += 1)
        await past({ status: 'succeeded', from: 1000, to: 1000 - second });
      const { durationMs } = await records.stats({ fraise: null, days: 1 });
      expect(durationMs.p50).to.be.closeTo(11_000, 1);
      expect(durationMs.p95).to.be.closeTo(20_000, 1);
    });

    it('the time from a push to its being live, of webhook deployments that succeeded', async () => {
      await past({ status: 'succeeded', trigger: 'webhook', pushed: 200, from: 150, to: 100 });
      await past({ status: 'failed', trigger: 'webhook', pushed: 900, from: 150, to: 100 });
      await past({ status: 'succeeded', trigger: 'cli', pushed: 900, from: 150, to: 100 });
      await past({ status: 'succeeded', trigger: 'webhook', from: 150, to: 100 });
      const { leadTimeMs } = await records.stats({ fraise: null, days: 1 });
      expect(leadTimeMs.p50).to.be.closeTo(100_000, 1);
      expect(leadTimeMs.p95).to.be.closeTo(100_000, 1);
    });

    it('the time to restore: from the first bad end to the next good one, for each pair by itself', async () => {
      await past({ status: 'succeeded', from: 1010, to: 1000 });
      await past({ status: 'failed', from: 910, to: 900 });
      await past({ status: 'cancelled', from: 880, to: 870 });
      await past({ status: 'rolled_back', from: 860, to: 850 });
      await past({ status: 'succeeded', from: 845, to: 840, environment: 'staging' });
      await past({ status: 'succeeded', from: 810, to: 800 });
      await past({ status: 'succeeded', from: 710, to: 700 });
      await past({ status: 'rollback_failed', from: 610, to: 600 });
      await past({ status: 'succeeded', from: 590, to: 580 });
      await past({ status: 'failed', from: 510, to: 500 });
      const { timeToRestoreMs } = await records.stats({ fraise: 'checkout', days: 1 });
      expect(timeToRestoreMs.p50).to.be.closeTo(60_000, 1);
      expect(timeToRestoreMs.p95).to.be.closeTo(96_000, 1);
    });

    interface Past {
      readonly status: string;
      /** Seconds ago. */
      readonly from: number;
      readonly to: number;
      readonly pushed?: number;
      readonly trigger?: 'webhook' | 'cli';
      readonly fraise?: string;
      readonly environment?: string;
    }

    const start = Date.now();
    const ago = (seconds: number): Date => new Date(start - seconds * 1000);

    /** A deployment that ended; the ledger itself has no way to be told the time. */
    async function past({ status, from, to, pushed, trigger = 'cli', ...more }: Past): Promise<void> {
      const { id } = await ledger.insertDeployment(newDeployment({ trigger, ...more }));
      await db.raw(
        `update tb_deployment set status = ?, started_at = ?, finished_at = ?, pushed_at = ? where id = ?`,
        [status, ago(from), ago(to), (pushed === undefined ? null : ago(pushed)) as never, id],
      );
    }
  });

  describe('show the state of a fraise', () => {
    it('live, under way and waiting, in one view', async () => {
      await ledger.holdFraise('empty', 'production');
      const good = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(good.id, 'queued', 'running', { newVersion: 'v1' });
      await ledger.moveDeployment(good.id, 'running', 'succeeded', { finished: true });
      const active = await ledger.insertDeployment(newDeployment());
      await ledger.moveDeployment(active.id, 'queued', 'running');
      await ledger.insertDeployment(newDeployment());
      const rows = await select(
        db,
        `select fraise, live_deployment_id, live_version, active_deployment_id, active_status, queued
           from v_fraise_status order by fraise`,
      );
      const nothing = {
        live_deployment_id: null,
        live_version: null,
        active_deployment_id: null,
        active_status: null,
      };
      expect(rows).to.deep.equal([
        {
          fraise: 'checkout',
          live_deployment_id: good.id,
          live_version: 'v1',
          active_deployment_id: active.id,
          active_status: 'running',
          queued: 1,
        },
        { fraise: 'empty', ...nothing, queued: 0 },
      ]);
    });
  });

  describe('show output', () => {
    const everything = { host: null, step: null, after: 0, limit: 100, mostBytes: 1000 };

    it('in order, from any point, of one host or step', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const web1 = await ledger.insertRun(newRun(id));
      const web2 = await ledger.insertRun(newRun(id, { host: 'web-2' }));
      await appendLog(ledger, chunk(web1, 0, 'a'));
      await appendLog(ledger, chunk(web2, 0, 'b'));
      await appendLog(ledger, { ...chunk(web1, 1, 'c'), truncated: true });
      await appendLog(ledger, { ...chunk(web1, 0, 'd'), step: 'fetch', attempt: 2 });
      const query: LogQuery = { ...everything, deploymentId: id };
      const all = await records.logs(query);
      expect(all.map(textOf)).to.deep.equal(['a', 'b', 'c', 'd']);
      const [, , third, fourth] = all as [StoredLog, StoredLog, StoredLog, StoredLog];
      expect(third).to.include({
        runId: web1.id,
        host: 'web-1',
        phase: 'prepare',
        step: 'stage',
        attempt: 1,
        offset: 1,
        truncated: true,
      });
      expect(third.storedAt).to.be.instanceOf(Date);
      expect(fourth).to.include({ step: 'fetch', attempt: 2, truncated: false });
      expect(
        (await records.logs({ ...query, after: all[0]?.number ?? 0, limit: 2 })).map(textOf),
      ).to.deep.equal(['b', 'c']);
      expect((await records.logs({ ...query, host: 'web-2' })).map(textOf)).to.deep.equal(['b']);
      expect((await records.logs({ ...query, step: 'fetch' })).map(textOf)).to.deep.equal(['d']);
      expect(await records.logs({ ...query, deploymentId: 'nobody' })).to.deep.equal([]);
    });

    it('no more at once than asked for, and at least one chunk', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const run = await ledger.insertRun(newRun(id));
      for (const [at, text] of ['aaa', 'bbb', 'ccc'].entries())
        await appendLog(ledger, chunk(run, at * 3, text));
      const page = async (mostBytes: number, after = 0) =>
        (await records.logs({ ...everything, deploymentId: id, mostBytes, after })).map(textOf);
      const [first] = await records.logs({ ...everything, deploymentId: id });
      expect(await page(1)).to.deep.equal(['aaa']);
      expect(await page(4)).to.deep.equal(['aaa', 'bbb']);
      expect(await page(1, first?.number)).to.deep.equal(['bbb']);
      expect(await page(9)).to.deep.equal(['aaa', 'bbb', 'ccc']);
    });

    it('without missing what commits after something newer', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const slow = await ledger.insertRun(newRun(id));
      const quick = await ledger.insertRun(newRun(id, { host: 'web-2' }));
      const { promise: mayCommit, resolve: commit } = signal();
      const { promise: written, resolve: write } = signal();
      const slowly = ledger.transaction(async (tx) => {
        await appendLog(tx, chunk(slow, 0, 'first number, last commit'));
        write();
        await mayCommit;
      });
      await written;
      await appendLog(ledger, chunk(quick, 0, 'second number'));
      const reading = records.logs({ ...everything, deploymentId: id });
      await until('the reader to wait', async () => {
        const rows = await select(
          db,
          `select 1 from pg_stat_activity where datname = current_database() and query like '%pg_locks%'
          and pid <> pg_backend_pid()`,
        );
        return rows.length > 0;
      });
      commit();
      await slowly;
      expect((await reading).map(textOf)).to.deep.equal(['first number, last commit', 'second number']);
    });

    it('each byte once when two streams send the same at the same time', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const run = await ledger.insertRun(newRun(id));
      const second: Promise<number>[] = [];
      await ledger.transaction(async (tx) => {
        expect(await appendLog(tx, chunk(run, 0, 'first'))).to.equal(5);
        second.push(appendLog(ledger, chunk(run, 0, 'first and more')));
        await until('the second to wait', async () => {
          const rows = await select(
            db,
            `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          );
          return rows.length > 0;
        });
      });
      expect(await Promise.all(second)).to.deep.equal([5]);
      expect(await appendLog(ledger, chunk(run, 0, 'first and more'))).to.equal(14);
    });

    it('only later when a writer takes too long', async () => {
      const { id } = await ledger.insertDeployment(newDeployment());
      const run = await ledger.insertRun(newRun(id));
      const query = { ...everything, deploymentId: id };
      await appendLog(ledger, chunk(run, 0, 'a'));
      await ledger.transaction(async (tx) => {
        await appendLog(tx, chunk(run, 1, 'b'));
        expect(await records.logs(query)).to.deep.equal([]);
      });
      expect((await records.logs(query)).map(textOf)).to.deep.equal(['a', 'b']);
    });
  });

  describe('know tokens', () => {
    it('by their hash', async () => {
      expect(await records.anyApiToken()).to.equal(false);
      const token = {
        name: 'ci',
        role: 'deployer' as const,
        expiresAt: new Date('2027-01-01T00:00:00Z'),
        revokedAt: null,
      };
      await records.insertApiToken({ ...token, tokenHash: 'h1' });
      expect(await records.apiToken('h1')).to.deep.equal(token);
      expect(await records.apiToken('h2')).to.equal(null);
      expect(await records.anyApiToken()).to.equal(true);
    });
  });
});

function textOf(log: StoredLog): string {
  return new TextDecoder().decode(log.data);
}

function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
