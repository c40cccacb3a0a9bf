import { expect } from 'chai';
import fc from 'fast-check';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { startSettling } from '../../../controller/webhooks/settle-pending.js';
import { signedPush, type SignedDelivery } from '../../support/github.js';
import { until } from '../../support/until.js';
import { connected, fromHistory, impatientEdges, whileAnswering } from './an-asked-agent.js';
import { commit, configure, memoryStore, REPOSITORY, SECRET, withHttp, type Store } from './support.js';

const TEXT = `
git: { github: { webhook_secret: "${SECRET}" } }
fraises:
  shop:
    type: api
    repository: ${REPOSITORY}
    environments:
      live: { branch: main, hosts: [web-1], app_path: /srv/a, systemd_service: a.service }
`;

/** The branch from its beginning: each push adds one commit. */
const HISTORY = ['0', '1', '2', '3', '4', '5', '6'].map((one) => (one === '0' ? commit('9') : commit(one)));
const PUSHES = HISTORY.length - 1;
const NOON = Date.UTC(2026, 0, 1, 12);

/** In any order, several at once, some of them more than once, with anything running meanwhile. */
const someDeliveries = fc.record({
  order: fc.shuffledSubarray(
    Array.from({ length: PUSHES }, (_, at) => at),
    { minLength: PUSHES },
  ),
  repeats: fc.array(fc.nat({ max: PUSHES - 1 }), { maxLength: 4 }),
  together: fc.integer({ min: 1, max: 4 }),
  /** Seconds from one push to the next. */
  apart: fc.array(fc.nat({ max: 1 }), { minLength: PUSHES, maxLength: PUSHES }),
  runs: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
});

describe('pushes that come in any order, in bursts, repeated and retried', function () {
  this.timeout(120_000);

  it('end with the newest live, and none of them twice', async () => {
    await fc.assert(
      fc.asyncProperty(someDeliveries, async ({ order, repeats, together, apart, runs }) => {
        const store = await memoryStore();
        const { ledger } = store;
        await configure(ledger, TEXT);
        await connected(ledger);
        const delivery = (at: number): SignedDelivery => {
          const seconds = apart.slice(0, at + 1).reduce((sum, one) => sum + one, 0);
          return signedPush({
            ...{ repository: REPOSITORY, branch: 'main', secret: SECRET, deliveryId: `push-${at}` },
            ...{ commit: HISTORY[at + 1] as string, before: HISTORY[at] as string },
            pushedAt: new Date(NOON + seconds * 1000),
          });
        };
        const sending = [...order, ...repeats];
        await whileAnswering(ledger, fromHistory(HISTORY), () =>
          withHttp(ledger, async ({ send }) => {
            const settling = startSettling(impatientEdges(ledger), { onError: fail, pollMs: 2 });
            for (let step = 0; sending.length > 0; step += 1) {
              await Promise.all(sending.splice(0, together).map((at) => send(delivery(at))));
              if (runs[step] === true) await carryOutNext(ledger);
            }
            await until('none to be pending', () => nonePending(store), { everyMs: 2 });
            await settling.stop();
          }),
        );
        while (await carryOutNext(ledger)) continue;
        const live = await ledger.lastSucceeded('shop', 'live');
        expect(live?.commit).to.equal(HISTORY.at(-1));
        const commits = (await store.deployments()).map((one) => one.commit);
        expect(commits.toSorted()).to.deep.equal(HISTORY.slice(1));
        await store.close();
      }),
      { seed: 4, numRuns: 40 },
    );
  });
});

async function nonePending(store: Store): Promise<boolean> {
  return (await store.deliveries()).every((one) => one.verdict !== 'pending');
}

/** As the driver does: the oldest that waits runs to its end. False when none waits. */
async function carryOutNext(ledger: Ledger): Promise<boolean> {
  const [next] = await ledger.unfinishedDeployments({ fraise: 'shop', environment: 'live' });
  if (next === undefined) return false;
  await ledger.moveDeployment(next.id, 'queued', 'running', { started: true });
  // Two that end in the same millisecond would have no order.
  const before = Date.now();
  await until('a millisecond to pass', () => Promise.resolve(Date.now() > before), { everyMs: 1 });
  await ledger.moveDeployment(next.id, 'running', 'succeeded', { finished: true });
  return true;
}

function fail(error: unknown): void {
  throw error;
}
