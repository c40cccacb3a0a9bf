import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { installAgent } from './agent-unit.js';
import { BATCH, makeBatch, type Batch, type BatchName } from './batch.js';
import { follow, steps, type Deployed, type Shown } from './deploying.js';
import { SERVERS, startFleet, type Fleet, type Server } from './fleet.js';
import type { Host } from './lab/host.js';

const WHAT = { loader: 'an etl', reports: 'a scheduled fraise' } as const;

/** Where a broken release is found out, and with which words. */
const BREAKS = {
  loader: { step: 'run', code: 'command_failed' },
  reports: { step: 'health', code: 'health_check_failed' },
} as const;

describe('what runs at its times, on several real systemd hosts', function () {
  this.timeout(120_000);
  let fleet: Fleet;
  let batch: Batch;
  let h1: Host;
  let h2: Host;
  const good = { loader: '', reports: '' };

  before(async () => {
    fleet = await startFleet();
    [h1, h2] = [fleet.server('h1'), fleet.server('h2')];
    batch = await makeBatch(fleet);
    await Promise.all(SERVERS.map((server) => installAgent(fleet, server, batch.allowing)));
    await fleet.apply(`name: fleet\nfraises:\n${batch.configuration(SERVERS)}`);
    for (const name of BATCH) await release(name);
  });

  // Not there when it could not be started.
  after(() => (fleet as Fleet | undefined)?.stop());

  beforeEach(async () => {
    for (const name of BATCH) for (const host of [h1, h2]) await batch.gates(name, host).reset();
  });

  for (const name of BATCH) {
    it(`${WHAT[name]} is taken back when it is broken on the first host (row 12): the second was never touched, the migration is undone once`, async () => {
      const migrations = await batch.migrations(name);
      const shown = await broken(name, 'h1');
      expect(steps(shown, 'h1')).to.include(`release ${BREAKS[name].step} failed 1`);
      const there = steps(shown, 'h2').filter((step) => !step.startsWith('prepare '));
      expect(there, 'what was done on h2 but prepare it').to.deep.equal([]);
      expect(await batch.gates(name, h2).begun('ready'), 'releases begun on h2').to.equal(0);
      await expectBack(name, shown, migrations);
    });

    it(`${WHAT[name]} is taken back when it is broken on a later host (row 12): the first is back on the old one, the migration is undone once`, async () => {
      const migrations = await batch.migrations(name);
      const shown = await broken(name, 'h2');
      expect(shown.reason?.message).to.match(/^release on h2: /);
      const { step } = BREAKS[name];
      expect(steps(shown, 'h1')).to.include(`release ${step} succeeded 1`);
      expect(steps(shown, 'h2')).to.include(`release ${step} failed 1`);
      for (const server of SERVERS)
        expect(steps(shown, server)).to.include.members([
          'undo activate succeeded 1',
          'undo health succeeded 1',
        ]);
      await expectBack(name, shown, migrations);
    });
  }

  it('five failed deployments of a scheduled fraise in a row leave the last good release live, and a target once the next one is good (row 9)', async function () {
    this.timeout(300_000);
    const name = 'reports';
    const before = good[name];
    for (const server of ['h1', 'h2', 'h1', 'h2', 'h2'] as const) await broken(name, server);
    await expectLive(name, before);
    // What was healthy on the first host alone is no release to keep another one's place.
    await release(name);
    for (const host of [h1, h2])
      expect(await readdir(join(host.root, 'srv', name, 'releases'))).to.include.members([
        before,
        good[name],
      ]);
    expectSucceeded(await follow(fleet, ['rollback', name, 'production']));
    await expectLive(name, before);
  });

  async function release(name: BatchName): Promise<void> {
    good[name] = await batch.commit(name);
    expectSucceeded(await follow(fleet, ['deploy', name, 'production']));
    await expectLive(name, good[name]);
  }

  async function broken(name: BatchName, brokenOn: Server): Promise<Shown> {
    await batch.commit(name, { brokenOn });
    const { code, shown } = await follow(fleet, ['deploy', name, 'production']);
    expect([code, shown.status, shown.reason?.code], shown.reason?.message).to.deep.equal([
      1,
      'rolled_back',
      BREAKS[name].code,
    ]);
    return shown;
  }

  /** Every host has what was good, and the database is as it was, by one way down. */
  async function expectBack(name: BatchName, shown: Shown, migrations: readonly string[]): Promise<void> {
    expect(await batch.migrations(name)).to.deep.equal(migrations);
    expect(await batch.gates(name, h1).begun('migrate')).to.equal(1);
    const undone = SERVERS.flatMap((server) => steps(shown, server).map((step) => `${server} ${step}`));
    expect(undone.filter((step) => / migrate_down (?!migration_)/.test(step))).to.deep.equal([
      'h1 migrate_down migrate_down succeeded 1',
    ]);
    await expectLive(name, good[name]);
  }

  async function expectLive(name: BatchName, commit: string): Promise<void> {
    for (const host of [h1, h2]) await batch.expectLive(name, host, commit);
  }

  function expectSucceeded({ code, shown, stderr }: Deployed): void {
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
  }
});
