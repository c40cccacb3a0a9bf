import { expect } from 'chai';
import { startRetention } from '../../controller/retention.js';
import type { Keeping, Removed } from '../../controller/db/retention.js';

const REMOVED = {
  bodiesMs: 0,
  bodiesBytes: 0,
  deliveriesMs: 0,
  refusedMs: 0,
  outputMs: 0,
  questionsMs: 0,
  notificationsMs: 0,
};

/** A clock that is turned by hand, and what was logged. */
function lab(answers: (() => Promise<Removed | null>)[]) {
  const waits: { ms: number; act: () => void; cancelled: boolean }[] = [];
  const logged: unknown[] = [];
  const retention = startRetention(
    {
      after: (ms, act) => {
        const wait = { ms, act, cancelled: false };
        waits.push(wait);
        return () => (wait.cancelled = true);
      },
      logger: {
        info: (facts: object) => void logged.push(facts),
        warn: (facts: object) => void logged.push(facts),
      } as never,
      removeOld: () => (answers.shift() ?? (() => Promise.resolve(null)))(),
    },
    {} as Keeping,
  );
  return { waits, logged, retention };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

describe('retention', () => {
  it('begins a minute after the start, goes on every hour and says what it removed', async () => {
    const removed = { ...REMOVED, bodiesMs: 3 };
    const none = (): Promise<Removed> => Promise.resolve(REMOVED);
    const { waits, logged, retention } = lab([() => Promise.resolve(removed), none]);
    for (let round = 0; round < 3; round += 1) {
      waits.at(-1)?.act();
      await settled();
    }
    expect(waits.map((wait) => wait.ms)).to.deep.equal([60_000, 3_600_000, 3_600_000, 3_600_000]);
    expect(logged).to.deep.equal([{ removed }]);
    await retention.stop();
    expect(waits.at(-1)?.cancelled).to.equal(true);
  });

  it('tries again in an hour when it failed', async () => {
    const failure = new Error('away');
    const { waits, logged, retention } = lab([() => Promise.reject(failure)]);
    waits[0]?.act();
    await settled();
    expect(logged).to.deep.equal([{ err: failure }]);
    expect(waits[1]).to.include({ ms: 3_600_000 });
    await retention.stop();
  });

  it('ends once what is in hand is done, and does not begin again', async () => {
    let done = (_removed: Removed): void => undefined;
    const { waits, retention } = lab([() => new Promise((resolve) => (done = resolve))]);
    waits[0]?.act();
    const order: string[] = [];
    const stopped = retention.stop().then(() => order.push('stopped'));
    await settled();
    order.push('removed');
    done(REMOVED);
    await stopped;
    expect(order).to.deep.equal(['removed', 'stopped']);
    expect(waits).to.have.lengthOf(1);
  });
});
