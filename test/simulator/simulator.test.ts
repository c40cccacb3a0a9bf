import { expect } from 'chai';
import { Random } from './random.js';
import { Schedule } from './schedule.js';
import { simulate } from './simulate.js';
import { Life } from './life.js';
import { SimulatedDisk } from './simulated-disk.js';

/** Few and short, so that it stays within seconds; `npm run simulate` has as many as one likes. */
const SEEDS = [1, 2, 3];

describe('the simulator', function () {
  this.timeout(60_000);

  for (const seed of SEEDS) {
    it(`finds nothing wrong in the story of seed ${seed}`, async () => {
      const { faults, deployments } = await simulate(seed, { lifeMs: 8 * 60_000 });
      expect(faults).to.deep.equal([]);
      expect(Object.keys(deployments)).not.to.have.length(0);
    });
  }

  it('tells the same story twice for the same seed, and another for another', async () => {
    const lifeMs = 3 * 60_000;
    const first: string[] = [];
    const again: string[] = [];
    const one = await simulate(4, { say: (line) => first.push(line), lifeMs });
    const two = await simulate(4, { say: (line) => again.push(line), lifeMs });
    expect(again).to.deep.equal(first);
    expect(two.digest).to.equal(one.digest);
    expect((await simulate(5, { lifeMs })).digest).not.to.equal(one.digest);
  });

  it('has a disk that keeps what was synced through a power cut, and of the rest the first part', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const schedule = new Schedule();
      const disk = new SimulatedDisk(new Random(`disk ${seed}`));
      const seen = disk.seenBy(new Life(schedule));
      const write = async (): Promise<void> => {
        await seen.makeFolder('/state');
        const file = await seen.openForAppend('/state/journal');
        await file.write(Buffer.from('kept '));
        await file.sync();
        await file.write(Buffer.from('lost'));
        await seen.writeLoosely('/state/loose', Buffer.from('loose'));
      };
      const written = write();
      await schedule.run(1_000, () => false);
      await written;
      disk.powerCut();
      expect(Buffer.from((await seen.read('/state/journal')) ?? []).toString()).to.match(
        /^kept (l(o(st?)?)?)?$/,
      );
      expect(Buffer.from((await seen.read('/state/loose')) ?? []).toString()).to.match(
        /^(l(o(o(se?)?)?)?)?$/,
      );
    }
  });
});
