import { expect } from 'chai';
import { Random } from '../simulator/random.js';
import { startFleet, type Fleet } from './fleet.js';
import { keepKilling } from './soak/deaths.js';
import { keepDeploying } from './soak/requests.js';
import { Person } from './soak/person.js';
import { prepareSoftware, SOFTWARE, TEN, type Source } from './soak/software.js';
import { Somebody } from './soak/somebody.js';
import { judgeErrors, judgeLogs } from './soak/judge-logs.js';
import { judgeLeftovers } from './soak/judge-leftovers.js';
import { judgeRequests } from './soak/judge-requests.js';
import { judgeWorld } from './soak/judge-world.js';
import { summary } from './soak/ended.js';

/** One minute in CI; `npm run test:soak` goes on for ten. */
const SECONDS = Number(process.env['FRAISIER_SOAK'] ?? 60);
const SEED = process.env['FRAISIER_SEED'] ?? String(Math.floor(Math.random() * 1e6));
const LOGS_LOOKED_AT = 12;

describe('three controllers over one database, ten real systemd hosts, deployments without a pause', function () {
  this.timeout(240_000 + SECONDS * 1_000);
  let fleet: Fleet;
  let sources: ReadonlyMap<string, Source>;
  let somebody: Somebody;

  before(async () => {
    fleet = await startFleet(TEN, { controllers: 3 });
    somebody = new Somebody(fleet);
    sources = await prepareSoftware(fleet);
  });

  after(async () => {
    (somebody as Somebody | undefined)?.close();
    await (fleet as Fleet | undefined)?.stop();
  });

  afterEach(async function () {
    if (this.currentTest?.state !== 'passed') process.stdout.write(`${await fleet.logs()}\n`);
  });

  it(`nothing is lost, doubled or stuck after ${SECONDS} s in which a controller, an agent or the database is killed every few seconds (row 2)`, async () => {
    process.stdout.write(`soak of ${SECONDS} s, FRAISIER_SEED=${SEED}\n`);
    const random = new Random(SEED);
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(), SECONDS * 1_000);
    const over = end.signal;
    const person = new Person(somebody);
    const deploying = SOFTWARE.map((one) =>
      keepDeploying({ fleet, somebody, random }, one, sources.get(one.name) as Source, over),
    );
    const killing = keepKilling(fleet, random.fork('deaths'), over);
    const all = [...deploying, killing, person.continueUntil(over)];
    for (const one of all) one.catch(() => end.abort());
    await Promise.allSettled(all);
    clearTimeout(timer);
    const [deaths, requests] = [await killing, await Promise.all(deploying)];
    const history = await person.untilAllHasEnded();
    const ended = { fleet, somebody, requests: requests.flat(), history, continued: person.continued };
    process.stdout.write(`${summary(ended, deaths)}\n`);
    const leftovers = await judgeLeftovers(ended);
    const worlds = await Promise.all(SOFTWARE.map((one) => judgeWorld(ended, one)));
    const logs = await Promise.all(history.slice(0, LOGS_LOOKED_AT).map(({ id }) => judgeLogs(ended, id)));
    expect([
      ...deaths.endedThemselves.map((words) => `a controller ended by itself: ${words}`),
      ...judgeRequests(ended),
      ...worlds.flat(),
      ...leftovers,
      ...logs.flat(),
      ...(await judgeErrors(fleet)),
    ]).to.deep.equal([]);
  });
});
