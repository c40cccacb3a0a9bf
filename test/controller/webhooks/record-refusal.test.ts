import { expect } from 'chai';
import { FraisierError } from '../../../proto/error-codes.js';
import { perMinute, refusalOf } from '../../../controller/webhooks/record-refusal.js';
import { aPush, configure, memoryStore, withHttp } from './support.js';

describe('a refused delivery', () => {
  it('is refused for its own fault, or it is none', () => {
    expect(refusalOf(new FraisierError('too_large', 'x'))).to.have.property('verdict', 'too_large');
    expect(refusalOf(new FraisierError('internal', 'x'))).to.equal(null);
    expect(refusalOf(new Error('too_large'))).to.equal(null);
  });

  it('is stored without its body or anything of unbounded length', async () => {
    const store = await memoryStore();
    await configure(store.ledger);
    await withHttp(store.ledger, async ({ send }) => {
      const push = aPush({ secret: 'not the one', deliveryId: 'x'.repeat(2000) });
      await send({
        ...push,
        headers: { ...push.headers, 'user-agent': 'y'.repeat(2000), cookie: 'secret=1' },
      });
    });
    const [row] = await store.deliveries();
    expect(row).to.deep.include({
      verdict: 'bad_signature',
      deliveryId: 'x'.repeat(200),
      event: 'push',
      repository: '',
      headers: { 'user-agent': 'y'.repeat(200) },
      body: null,
      matchedSecret: null,
      claimed: false,
    });
    expect(row?.reason?.code).to.equal('bad_signature');
  });

  it('is recorded only so many times a minute, and refused all the same', async () => {
    const store = await memoryStore();
    await configure(store.ledger);
    await withHttp(
      store.ledger,
      async ({ send }) => {
        for (let i = 0; i < 6; i += 1)
          expect((await send(aPush({ secret: 'not the one' }))).status).to.equal(401);
        expect((await send(aPush())).status).to.equal(202);
      },
      { refusalLimit: 2 },
    );
    const verdicts = (await store.deliveries()).map((one) => one.verdict);
    expect(verdicts).to.deep.equal(['bad_signature', 'bad_signature', 'deployed']);
  });
});

describe('a number of times a minute', () => {
  it('starts anew a minute after the first of them', () => {
    let now = 0;
    const may = perMinute(2, () => now);
    expect([may(), may(), may()]).to.deep.equal([true, true, false]);
    now = 59_999;
    expect(may()).to.equal(false);
    now = 60_000;
    expect([may(), may(), may()]).to.deep.equal([true, true, false]);
  });
});
