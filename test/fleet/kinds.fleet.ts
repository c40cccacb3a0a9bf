import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { until } from '../support/until.js';
import { atEvent, ended, follow, steps, type Deployed } from './deploying.js';
import { type Fleet } from './fleet.js';
import { MARKS, SCRIPT, service, startKinds, timer, UNITS, type Kinds, type Repository } from './kinds.js';
import type { Host } from './lab/host.js';

describe('fraises of each kind on a real systemd host', function () {
  this.timeout(60_000);
  let kinds: Kinds;
  let fleet: Fleet;
  let etl: Repository;
  let reports: Repository;
  let h1: Host;

  before(async () => {
    kinds = await startKinds();
    ({ fleet, etl, reports } = kinds);
    h1 = fleet.server('h1');
    await etl.commit({ 'run.py': SCRIPT });
  });

  // Not there when it could not be started.
  after(() => (kinds as Kinds | undefined)?.stop());

  function deploy(fraise: string, ...flags: readonly string[]): Promise<Deployed> {
    const deployed = follow(fleet, ['deploy', fraise, 'production', ...flags]);
    // Awaited later: a failure meanwhile must not end the tests.
    deployed.catch(() => undefined);
    return deployed;
  }

  function expectSucceeded({ code, shown, stderr }: Deployed): void {
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
  }

  function expectEnd({ code, shown }: Deployed, status: string, reason: string): void {
    expect([code, shown.status, shown.reason?.code], shown.reason?.message).to.deep.equal([
      1,
      status,
      reason,
    ]);
  }

  const live = async (app: string) => basename(await readlink(join(h1.root, 'srv', app, 'current')));
  const mark = (name: string) => join(h1.root, MARKS, name);
  const done = async (name: string) =>
    (await readFile(mark(`${name}.done`), 'utf8').catch(() => '')).split('\n');

  describe('an api from the same git daemon', () => {
    it('is deployed from a branch, and from a push; that nobody vouches for the server is said', async () => {
      const { url, commit } = kinds.site;
      const first = await commit({ 'serve.sh': 'exec sleep infinity\n' });
      expectSucceeded(await deploy('site'));
      expect(await live('site')).to.equal(first);
      const pushed = await commit({ 'more.txt': 'more' });
      const [id = ''] = await fleet.pushToAll(url, pushed);
      expect((await ended(fleet, id)).status).to.equal('succeeded');
      expect(await live('site')).to.equal(pushed);
      const said = await fleet.must(['validate', '/home/deploy/fraises.yaml', '--json']);
      expect(said).to.contain('git:// is neither encrypted nor authenticated');
    });
  });

  describe('an etl', () => {
    it('is deployed: its script is looked at and not run', async () => {
      const commit = await etl.commit({});
      const deployed = await deploy('nightly');
      expectSucceeded(deployed);
      expect(await live('nightly')).to.equal(commit);
      expect(steps(deployed.shown, 'h1')).to.include.members([
        'prepare script succeeded 1',
        'release await_idle succeeded 1',
        'release prove succeeded 1',
      ]);
      expect(existsSync(mark('nightly.begun'))).to.equal(false);
    });

    it('is refused before anything is moved when its script does not parse', async () => {
      const before = await live('nightly');
      await etl.commit({ 'run.py': 'def broken(:\n' });
      const deployed = await deploy('nightly');
      await etl.commit({ 'run.py': SCRIPT });
      expectEnd(deployed, 'failed', 'script_invalid');
      expect(deployed.shown.reason?.message).to.match(/reading run\.py through as Python .*SyntaxError/);
      expect(await live('nightly')).to.equal(before);
    });

    it('does not cut off a run in progress, and goes back to what was live', async () => {
      const before = await live('nightly');
      await writeFile(mark('hand.hold'), '');
      const start = [
        'systemd-run',
        '--quiet',
        '--unit=by-hand',
        '--working-directory=/srv/nightly/current',
      ] as const;
      await h1.must([...start, '/usr/bin/python3', 'run.py', 'hand']);
      await until('the run to have begun', () => existsSync(mark('hand.begun')));
      await etl.commit({ 'more.txt': 'more' });
      const deployed = await deploy('nightly');
      expectEnd(deployed, 'rolled_back', 'still_running');
      expect(deployed.shown.reason?.message).to.match(
        /process \d+ \(\/usr\/bin\/python3 run\.py hand\), since 20/,
      );
      expect(await live('nightly')).to.equal(before);
      expect((await h1.must(['systemctl', 'is-active', 'by-hand'])).trim()).to.equal('active');
    });

    it('waits for a run in progress, and goes on when it has ended', async () => {
      const commit = await etl.commit({ 'more.txt': 'and more' });
      const { id } = await fleet.json<{ id: string }>(['deploy', 'nightly', 'production', '--no-wait']);
      await atEvent(fleet, id, ({ step }) => step === 'await_idle');
      await rm(mark('hand.hold'));
      expect((await ended(fleet, id)).status).to.equal('succeeded');
      expect(await live('nightly')).to.equal(commit);
      expect((await done('hand')).length).to.equal(2);
    });

    it('runs its script once it is live, if it is told to', async () => {
      const commit = await etl.commit({ 'run.py': SCRIPT });
      const deployed = await deploy('loader');
      expectSucceeded(deployed);
      expect(steps(deployed.shown, 'h1')).to.include('release run succeeded 1');
      expect(await done('loader')).to.deep.equal([commit, '']);
    });

    it('ends as its script ends: with the release before when that fails', async () => {
      const before = await live('loader');
      const ran = await done('loader');
      await etl.commit({ 'run.py': `${SCRIPT}print("no rows today")\nsys.exit(3)\n` });
      const deployed = await deploy('loader');
      await etl.commit({ 'run.py': SCRIPT });
      expectEnd(deployed, 'rolled_back', 'command_failed');
      expect(deployed.shown.reason?.message).to.match(
        /the script run\.py exited with status 3: no rows today$/,
      );
      expect(await live('loader')).to.equal(before);
      expect((await done('loader')).length, 'runs of the script').to.equal(ran.length + 1);
    });
  });

  describe('a scheduled fraise', () => {
    const JOBS = ['reports-daily', 'reports-weekly'] as const;
    const units = async () =>
      (await readdir(join(h1.root, 'etc/systemd/system'))).filter((name) => name.startsWith('reports'));
    const show = async (unit: string, ...properties: readonly string[]) =>
      (await h1.must(['systemctl', 'show', '--value', `--property=${properties.join(',')}`, unit])).trim();
    const unitText = (unit: string) => readFile(join(h1.root, 'etc/systemd/system', unit), 'utf8');
    const timersAreOn = async () => {
      for (const job of JOBS) {
        expect((await h1.must(['systemctl', 'is-active', `${job}.timer`])).trim()).to.equal('active');
        expect((await h1.must(['systemctl', 'is-enabled', `${job}.timer`])).trim()).to.equal('enabled');
      }
    };

    it('leaves nothing behind when the first release cannot be put to work', async () => {
      await reports.commit({
        'run.py': SCRIPT,
        ...UNITS,
        'deploy/systemd/reports-weekly.timer': timer('2001-01-01'),
      });
      const deployed = await deploy('reports');
      expectEnd(deployed, 'failed', 'no_previous_release');
      expect(deployed.shown.reason?.message).to.contain('systemd knows no moment at which it elapses');
      expect(await units()).to.deep.equal([]);
      expect(existsSync(join(h1.root, 'srv/reports/current'))).to.equal(false);
      for (const job of JOBS) expect(await show(`${job}.timer`, 'LoadState')).to.equal('not-found');
    });

    it('is deployed with its units, which the plan shows before: timers enabled, active and known to elapse', async () => {
      const commit = await reports.commit(UNITS);
      const plan = await fleet.must(['deploy', 'reports', 'production', '--dry-run']);
      expect(plan)
        .to.contain('unit file A /etc/systemd/system/reports-daily.timer')
        .and.to.contain('+OnCalendar=2099');
      expectSucceeded(await deploy('reports'));
      expect(await live('reports')).to.equal(commit);
      expect((await units()).toSorted()).to.deep.equal(
        JOBS.flatMap((job) => [`${job}.service`, `${job}.timer`]).toSorted(),
      );
      expect(await unitText('reports-daily.timer')).to.equal(
        `# Installed by Fraisier for /srv/reports; what is changed here is lost at the next deployment.\n${timer()}`,
      );
      await timersAreOn();
      await h1.must(['systemctl', 'start', 'reports-daily.service']);
      expect(await done('reports-daily')).to.deep.equal([commit, '']);
    });

    it('takes new unit files over: what systemd goes by is the new schedule', async () => {
      await reports.commit({ 'deploy/systemd/reports-daily.timer': timer('2097-03-04 05:06:07') });
      const plan = await fleet.must(['deploy', 'reports', 'production', '--dry-run']);
      expect(plan)
        .to.contain('-OnCalendar=2099-01-01 00:00:00')
        .and.to.contain('+OnCalendar=2097-03-04 05:06:07');
      expectSucceeded(await deploy('reports'));
      expect(await show('reports-daily.timer', 'NextElapseUSecRealtime')).to.contain('2097-03-04');
      await timersAreOn();
    });

    it('is put back with unit files, timers and code when a new timer does not elapse', async () => {
      const before = await Promise.all(JOBS.map((job) => unitText(`${job}.service`)));
      const was = await live('reports');
      await reports.commit({
        'deploy/systemd/reports-daily.service': service('reports-daily', 'Changed'),
        'deploy/systemd/reports-weekly.timer': timer('2001-01-01'),
      });
      const deployed = await deploy('reports');
      await reports.commit(UNITS);
      expectEnd(deployed, 'rolled_back', 'timer_failed');
      expect(deployed.shown.reason?.message).to.contain('reports-weekly.timer');
      expect(await live('reports')).to.equal(was);
      expect(await Promise.all(JOBS.map((job) => unitText(`${job}.service`)))).to.deep.equal(before);
      expect(await show('reports-daily.timer', 'NextElapseUSecRealtime')).to.contain('2097-03-04');
      expect(await show('reports-weekly.timer', 'NextElapseUSecRealtime')).to.contain('2098-01-01');
      await timersAreOn();
    });

    it('does not kill a job that runs, and goes back to what was live', async () => {
      const was = await live('reports');
      await writeFile(mark('reports-daily.hold'), '');
      await h1.must(['systemctl', 'start', '--no-block', 'reports-daily.service']);
      await until('the job to run', async () => (await show('reports-daily.service', 'MainPID')) !== '0');
      const pid = await show('reports-daily.service', 'MainPID');
      const deployed = await deploy('reports');
      expectEnd(deployed, 'rolled_back', 'still_running');
      expect(deployed.shown.reason?.message).to.contain(`reports-daily.service (process ${pid})`);
      expect([await show('reports-daily.service', 'MainPID'), await live('reports')]).to.deep.equal([
        pid,
        was,
      ]);
      await rm(mark('reports-daily.hold'));
      const idle = async () => (await show('reports-daily.service', 'ActiveState')) === 'inactive';
      await until('the job to end', idle);
      expect(await show('reports-daily.service', 'Result')).to.equal('success');
    });

    it('is refused before anything is moved when a unit is missing', async () => {
      const was = await live('reports');
      await reports.commit({ 'deploy/systemd/reports-weekly.timer': null });
      const deployed = await deploy('reports');
      await reports.commit(UNITS);
      expectEnd(deployed, 'failed', 'unknown_unit');
      expect(deployed.shown.reason?.message).to.contain('reports-weekly.timer');
      expect(steps(deployed.shown, 'h1').join()).not.to.contain('release');
      expect(await live('reports')).to.equal(was);
      await timersAreOn();
    });

    it('is refused before anything is moved when systemd does not take a unit', async () => {
      await reports.commit({ 'deploy/systemd/reports-weekly.timer': timer('whenever') });
      const deployed = await deploy('reports');
      await reports.commit(UNITS);
      expectEnd(deployed, 'failed', 'unknown_unit');
      await timersAreOn();
    });
  });
});
