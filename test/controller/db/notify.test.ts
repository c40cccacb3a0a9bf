import { expect } from 'chai';
import { createLedger } from '../../../controller/db/ledger.js';
import { listen } from '../../../controller/db/notify.js';
import { topicOf } from '../../../controller/db/wake.js';
import type { WakeTopic } from '../../../controller/deployments/ledger/outbox.js';
import { withDatabase } from '../../support/database.js';
import { until } from '../../support/until.js';

const QUICK = { first: 5, longest: 20 };

describe('listening for wake-ups', function () {
  this.timeout(20_000);

  it('goes on after the connection was cut, and says that it was', async () => {
    await withDatabase(async (db, { url }) => {
      const errors: unknown[] = [];
      const heard: WakeTopic[] = [];
      const waking = await listen({ url }, { onError: (error) => void errors.push(error), backOffMs: QUICK });
      waking.subscribe((topic) => void heard.push(topic));
      for (const name of ['one', 'two']) {
        await db.raw(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fraisier-listen'
          and datname = current_database()`);
        await until(
          'a wake-up after the cut',
          async () => {
            await createLedger(db).wake({ about: 'host', name });
            return heard.some((topic) => topic.about === 'host' && topic.name === name);
          },
          { everyMs: 10 },
        );
      }
      expect(errors).not.to.be.empty;
      await waking.close();
    });
  });

  it('hears nothing that is not a wake-up', async () => {
    await withDatabase(async (db, { url }) => {
      const heard: WakeTopic[] = [];
      const waking = await listen({ url }, { onError: (error) => void error });
      waking.subscribe((topic) => void heard.push(topic));
      await db.raw(`select pg_notify('fraisier', 'nonsense')`);
      await createLedger(db).wake({ about: 'host', name: 'web-1' });
      await until('the wake-up', () => heard.length > 0, { everyMs: 5 });
      expect(heard).to.deep.equal([{ about: 'host', name: 'web-1' }]);
      await waking.close();
    });
  });

  it('starts without a database, keeps trying, and can be closed meanwhile', async () => {
    const errors: unknown[] = [];
    const database = { url: 'postgres://nobody@127.0.0.1:1/nothing' };
    const waking = await listen(database, { onError: (error) => void errors.push(error), backOffMs: QUICK });
    await until('several attempts', () => errors.length > 3, { everyMs: 5 });
    await waking.close();
    const after = errors.length;
    await waking.close();
    expect(errors).to.have.lengthOf(after);
  });

  it('can be closed while it waits for its next attempt', async () => {
    const database = { url: 'postgres://nobody@127.0.0.1:1/nothing' };
    const waking = await listen(database, { onError: (error) => void error });
    await waking.close();
  });

  it('takes as a topic only what is one', () => {
    expect(topicOf('{"about":"logs","deploymentId":"d_1"}')).to.deep.equal({
      about: 'logs',
      deploymentId: 'd_1',
    });
    for (const payload of [
      undefined,
      '',
      'null',
      '[]',
      '3',
      '{"about":"x","id":"1"}',
      '{"about":"host"}',
      '{"about":"toString"}',
    ]) {
      expect(topicOf(payload), payload).to.equal(null);
    }
  });
});
