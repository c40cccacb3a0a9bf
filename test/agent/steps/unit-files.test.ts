import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { previewUnits } from '../../../agent/questions/preview-units.js';
import { installedJobs, readInstalledFor } from '../../../agent/steps/installed-units.js';
import { unitsOf } from '../../../agent/steps/job-units.js';
import { mirrorFolder } from '../../../agent/steps/git.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Job, type Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { withFolder } from '../exec/a-spec.js';
import { aRepository, type TestRepository } from './a-repository.js';
import { aHost, aPolicy, type TestHost } from './a-step-context.js';
import { aUnitSystemd, type UnitSystemd } from './a-unit-systemd.js';

const TIMER = '[Timer]\nOnCalendar=daily\n\n[Install]\nWantedBy=timers.target\n';
const SERVICE = '[Service]\nType=oneshot\nExecStart=/bin/true\n';
const job = (name: string, more: Partial<Job> = {}) =>
  Job.fromPartial({ name, service: `${name}.service`, timer: `${name}.timer`, ...more });
const filesOf = (...names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) => [
      [`units/${name}.timer`, TIMER],
      [`units/${name}.service`, SERVICE],
    ]),
  );

interface Lab {
  readonly folder: string;
  readonly repository: TestRepository;
  readonly systemd: UnitSystemd;
  /** A host whose target has these jobs; the mirror, the state and systemd are the same for all. */
  readonly host: (
    jobs: readonly Job[],
    more?: Partial<Target>,
    context?: Partial<StepContext>,
  ) => Promise<TestHost>;
}

/** Commits are in the mirror at once. */
async function withLab(test: (lab: Lab) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const origin = aRepository(folder);
    const mirror = mirrorFolder(join(folder, 'state'), origin.url);
    await mkdir(join(folder, 'state/mirrors'), { recursive: true });
    await symlink(join(origin.folder, '.git'), mirror);
    const systemd = await aUnitSystemd(folder);
    const policy = aPolicy(folder, { unit_files: ['*.timer', '*.service'] });
    const one = await aHost(folder, { units: 'units', repository: origin.url }, { systemd, policy });
    await test({
      folder,
      repository: origin,
      systemd,
      host: async (jobs, more = {}, context = {}) => {
        const target = { ...one.target, jobs, ...more };
        return { ...one, target, run: (act, changes) => one.run(act, { target, ...context, ...changes }) };
      },
    });
  });
}

const check = (commit: string) => ({ $case: 'unitFiles', value: { commit, check: true } }) as const;
const put = (commit: string) => ({ $case: 'unitFiles', value: { commit } }) as const;
const restore = (commit: string) => ({ $case: 'unitFiles', value: { commit, restore: true } }) as const;
const timers = { $case: 'timers', value: {} } as const;

function expectFailed(end: StepEnd, code: string, words: string | RegExp): void {
  expect(end, JSON.stringify(end)).to.have.nested.property('reason.code', code);
  if ('reason' in end)
    expect(end.reason.message).to.match(typeof words === 'string' ? new RegExp(words) : words);
}

function expectDone(end: StepEnd, summary?: string): void {
  expect(end.outcome, JSON.stringify(end)).to.equal('OUTCOME_SUCCEEDED');
  if (summary !== undefined && 'result' in end) expect(end.result?.summary).to.equal(summary);
}

describe('looking at the units of jobs, before anything is moved', () => {
  it('says what would come, line by line, and changes nothing', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      expectDone(await on.run(check(commit)), 'A a.service, A a.timer');
      expect(on.log.join('\n')).to.contain(
        `A ${join(systemd.unitFolder, 'a.timer')}\n+[Timer]\n+OnCalendar=daily`,
      );
      expect(await readdir(systemd.unitFolder)).to.deep.equal([]);
      expect(systemd.asked).to.deep.equal([]);
    }));

  it('is content with units of the host, and with one that says the same already', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a'));
      for (const unit of ['b.timer', 'b.service']) await systemd.addOwn(unit);
      await systemd.addOwn('a.timer', TIMER);
      await systemd.addOwn('a.service', SERVICE);
      const on = await host([job('a'), job('b')]);
      expectDone(await on.run(check(commit)), 'the unit files are as they are installed');
    }));

  it('refuses a unit that is nowhere, one named file that is not in the commit, and one that is no plain file', () =>
    withLab(async ({ repository, host }) => {
      const commit = repository.commit({ 'units/a.timer': TIMER, 'deploy/link.service': '-> /etc/passwd' });
      expectFailed(
        await (await host([job('a')])).run(check(commit)),
        'unknown_unit',
        /no unit a\.service on this host \(systemd says not-found\), nor units\/a\.service in the commit/,
      );
      const own = await host([job('a')], { units: '' });
      expectFailed(
        await own.run(check(commit)),
        'unknown_unit',
        /no unit a\.service on this host \(systemd says not-found\)$/,
      );
      const named = await host([job('a', { serviceFile: 'deploy/a.service' })]);
      expectFailed(
        await named.run(check(commit)),
        'unknown_unit',
        /deploy\/a\.service, the file of a\.service, is not in the commit/,
      );
      const link = await host([job('a', { serviceFile: 'deploy/link.service' })]);
      expectFailed(await link.run(check(commit)), 'unknown_unit', /is not in the commit/);
    }));

  it('refuses what is in the way and is not Fraisier’s: another text, a link', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a'));
      await systemd.addOwn('a.timer', '[Timer]\nOnCalendar=weekly\n');
      const on = await host([job('a')]);
      expectFailed(await on.run(check(commit)), 'preflight_failed', /a\.timer is there, says something else/);
      expectFailed(await on.run(put(commit)), 'preflight_failed', /says something else/);
      await rm(join(systemd.unitFolder, 'a.timer'));
      await symlink('/dev/null', join(systemd.unitFolder, 'a.timer'));
      expectFailed(await on.run(check(commit)), 'preflight_failed', /a\.timer is there/);
    }));

  it('refuses a unit whose file an earlier release brought and this one does not', () =>
    withLab(async ({ repository, host }) => {
      const first = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      expectDone(await on.run(put(first)));
      const second = repository.commit({ 'units/a.timer': null });
      expectFailed(
        await on.run(check(second)),
        'unknown_unit',
        /an earlier release brought is no longer in the commit/,
      );
    }));

  it('says that it cannot tell when systemd does not answer', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit({});
      systemd.says.set('a.service', { LoadState: '' });
      expectFailed(
        await (await host([job('a')])).run(check(commit)),
        'unknown_unit',
        /systemd did not answer/,
      );
    }));

  it('refuses a host without systemd, and one whose folder it cannot write', () =>
    withLab(async ({ folder, repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a'));
      const without = await host([job('a')], {}, { systemd: null });
      for (const action of [check(commit), put(commit), timers])
        expectFailed(await without.run(action), 'preflight_failed', 'no systemd on this host');
      const gone = { ...systemd, unitFolder: join(folder, 'missing') };
      await mkdir(gone.unitFolder);
      await chmod(gone.unitFolder, 0o555);
      const on = await host([job('a')], {}, { systemd: gone });
      const end = await on.run(check(commit));
      if (process.getuid?.() === 0) expectDone(end);
      else expectFailed(end, 'preflight_failed', /cannot write unit files/);
    }));

  it('cannot work where the folder of units is not there', () =>
    withLab(async ({ folder, repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')], {}, { systemd: { ...systemd, unitFolder: join(folder, 'nowhere') } });
      expectFailed(await on.run(check(commit)), 'activate_failed', /the unit files: ENOENT/);
    }));

  it('refuses what systemd refuses in the file, whatever else it says', () =>
    withLab(async ({ repository, host }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      const say = (output: string): Partial<StepContext> => ({
        command: async ({ argv: [program = '', ...args] }) => {
          if (args.join(' ').includes('systemd-analyze')) return { ended: 'exited', exitCode: 1, output };
          return { ended: 'exited', exitCode: 0, output: execFileSync(program, args, { encoding: 'utf8' }) };
        },
      });
      const noise = 'a.service: Command /srv/app/current/run is not executable: No such file or directory\n';
      expectDone(await on.run(check(commit), say(noise)));
      expect(on.log.join('\n')).to.contain('is not executable');
      const refused = `${noise}a.timer: Timer unit lacks value setting. Refusing.\n`;
      expectFailed(
        await on.run(check(commit), say(refused)),
        'unknown_unit',
        /Timer unit lacks value setting/,
      );
      expectDone(await on.run(check(commit), say('')));
    }));

  it('asks systemd about files only, and does without its word where it has none', () =>
    withLab(async ({ repository, systemd, host }) => {
      for (const unit of ['a.timer', 'a.service']) await systemd.addOwn(unit);
      const on = await host([job('a')]);
      expectDone(await on.run(check(repository.commit({}))));
      expect(on.commands.some(({ argv }) => argv.join(' ').includes('systemd-analyze'))).to.equal(false);
      const commit = repository.commit(filesOf('b'));
      const command: StepContext['command'] = async ({ argv: [program = '', ...args] }) =>
        args.join(' ').includes('systemd-analyze')
          ? { ended: 'not_found', message: 'no sh' }
          : { ended: 'exited', exitCode: 0, output: execFileSync(program, args, { encoding: 'utf8' }) };
      const other = await host([job('b')]);
      expectDone(await other.run(check(commit), { command }), 'A b.service, A b.timer');
    }));

  it('refuses a commit that the mirror does not have, and a folder of units that went away', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const on = await host([job('a', { serviceFile: 'a.service' })]);
      expectFailed(await on.run(check('f'.repeat(40))), 'unknown_unit', /is not in the commit f{40}/);
      const commit = repository.commit(filesOf('a'));
      let looks = 0;
      const going = {
        ...systemd,
        get unitFolder() {
          return ++looks > 1 ? join(folder, 'gone') : systemd.unitFolder;
        },
      };
      const plain = await host([job('a')]);
      const end = await plain.run(check(commit), { systemd: going });
      expectFailed(end, 'preflight_failed', /the agent cannot write unit files to/);
    }));

  it('takes nothing but a full commit: it becomes part of a path', () =>
    withLab(async ({ host }) => {
      const on = await host([]);
      for (const commit of ['', 'main', `../../${'e'.repeat(40)}`])
        expectFailed(await on.run(restore(commit)), 'activate_failed', /is not a full commit/);
    }));

  it('says what the disk says', () =>
    withLab(async ({ repository, host }) => {
      const commit = repository.commit({});
      const long = await host([job('x'.repeat(300))]);
      expectFailed(await long.run(check(commit)), 'activate_failed', /the unit files: ENAMETOOLONG/);
      const on = await host([]);
      expectDone(await on.run(put(commit)));
      const [name = ''] = await readdir(join(on.stateFolder, 'units'));
      await mkdir(join(on.stateFolder, 'units', name, `${'e'.repeat(40)}.json`));
      expectFailed(await on.run(restore('e'.repeat(40))), 'activate_failed', /the unit files: EISDIR/);
    }));

  it('is the answer to what a deployment would change', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const commit = repository.commit(filesOf('a'));
      const { target, stateFolder } = await host([job('a')]);
      const ports = { stateFolder, systemd, policy: aPolicy(folder), signal: new AbortController().signal };
      const mirror = mirrorFolder(stateFolder, repository.url);
      const { changes, refusals } = await previewUnits(target, commit, mirror, ports);
      expect(refusals).to.deep.equal([]);
      expect(changes.map(({ path, change }) => `${change} ${path}`)).to.deep.equal(
        ['a.service', 'a.timer'].map((unit) => `A ${join(systemd.unitFolder, unit)}`),
      );
      const more = { ...target, jobs: [job('b')] };
      expect((await previewUnits(more, commit, mirror, ports)).refusals[0]?.code).to.equal('unknown_unit');
      const none = await previewUnits({ ...target, jobs: [] }, commit, mirror, ports);
      expect(none).to.deep.equal({ changes: [], refusals: [] });
    }));
});

describe('putting the unit files of a release in place', () => {
  it('writes what came with the commit, says so in its first line, and tells systemd', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      expectDone(await on.run(put(commit)), 'A a.service, A a.timer');
      expect(systemd.text('a.timer')).to.equal(
        `# Installed by Fraisier for ${join(folder, 'app')}; what is changed here is lost at the next deployment.\n${TIMER}`,
      );
      expect(systemd.asked).to.deep.equal(['daemon-reload']);
      expect((await readdir(systemd.unitFolder)).toSorted()).to.deep.equal(['a.service', 'a.timer']);
      expectDone(await on.run(put(commit)), 'the unit files are as they are installed');
    }));

  it('takes the text from the mirror, whatever somebody wrote into the release', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const commit = repository.commit(filesOf('a'));
      await mkdir(join(folder, 'app/releases', commit, 'units'), { recursive: true });
      await writeFile(
        join(folder, 'app/releases', commit, 'units/a.service'),
        '[Service]\nExecStart=/tmp/evil\n',
      );
      await (await host([job('a')])).run(put(commit));
      expect(systemd.text('a.service')).not.to.contain('evil');
    }));

  it('needs the policy’s word for each file, also on the way back', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')], {}, { policy: aPolicy(folder, { unit_files: ['a.timer'] }) });
      const end = await on.run(put(commit));
      expectFailed(end, 'policy_refused', /installing the file of a\.service/);
      expect('reason' in end && end.reason.hint).to.contain('--unit-file a.service');
      expect(systemd.asked).to.deep.equal([]);
    }));

  it('stops a timer whose file changes, so that it is started with the new one, and leaves services running', () =>
    withLab(async ({ repository, systemd, host }) => {
      const first = repository.commit(filesOf('a', 'b'));
      const on = await host([job('a'), job('b')]);
      await on.run(put(first));
      await on.run(timers);
      systemd.asked.length = 0;
      const second = repository.commit({
        'units/a.timer': TIMER.replace('daily', 'weekly'),
        'units/b.service': `${SERVICE}Nice=5\n`,
      });
      expectDone(await on.run(put(second)), 'M a.timer, M b.service');
      expect(systemd.asked).to.deep.equal(['stop a.timer', 'daemon-reload']);
    }));

  it('stops, disables and removes what only the release before had', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit(filesOf('a', 'b'));
      const before = await host([job('a'), job('b')]);
      await before.run(put(commit));
      await before.run(timers);
      systemd.asked.length = 0;
      const now = await host([job('a')]);
      expectDone(await now.run(put(commit)), 'D b.service, D b.timer');
      expect(systemd.asked).to.deep.equal(['stop b.timer', 'disable b.timer', 'daemon-reload']);
      expect([systemd.text('b.timer'), systemd.text('a.timer') === null]).to.deep.equal([null, false]);
      expect(now.log).to.include('b.timer is stopped and disabled');
    }));

  it('never touches what it did not install, nor what it installed for another fraise', () =>
    withLab(async ({ repository, systemd, host, folder }) => {
      const commit = repository.commit(filesOf('a'));
      await systemd.addOwn('c.service', 'mine');
      await systemd.addOwn('c.timer', 'mine');
      const other = `# Installed by Fraisier for ${folder}/other; and so on\n`;
      await systemd.addOwn('b.timer', other);
      await systemd.addOwn('b.service', other);
      const first = await host([job('a'), job('b'), job('c')]);
      expectDone(await first.run(put(repository.commit({ 'units/a.timer': TIMER }))));
      systemd.asked.length = 0;
      const on = await host([job('a')]);
      expectDone(await on.run(put(commit)));
      expect([systemd.text('c.service'), systemd.text('b.timer')]).to.deep.equal(['mine', other]);
      expect(systemd.asked).to.deep.equal(['stop c.timer', 'disable c.timer', 'daemon-reload']);
    }));

  it('says what systemd will not do', () =>
    withLab(async ({ repository, systemd, host }) => {
      const first = repository.commit(filesOf('a', 'b'));
      const both = await host([job('a'), job('b')]);
      systemd.fails.add('daemon-reload');
      expectFailed(
        await both.run(put(first)),
        'activate_failed',
        /systemctl daemon-reload exited with status 1/,
      );
      systemd.fails.clear();
      expectDone(await both.run(put(first)));
      await both.run(timers);
      const one = await host([job('a')]);
      for (const act of ['stop', 'disable']) {
        systemd.fails.add(`${act} b.timer`);
        expectFailed(await one.run(put(first)), 'timer_failed', `systemctl ${act} b.timer`);
        systemd.fails.clear();
      }
      const second = repository.commit({ 'units/a.timer': `${TIMER}\n`.replace('daily', 'hourly') });
      systemd.fails.add('stop a.timer');
      expectFailed(await both.run(put(second)), 'timer_failed', /stopping a\.timer/);
      systemd.fails.clear();
      systemd.says.set('b.service', { LoadState: 'bad-setting', LoadError: 'it has no ExecStart' });
      expectFailed(
        await both.run(put(second)),
        'unknown_unit',
        /systemd does not take b\.service, which came with the release: bad-setting it has no ExecStart/,
      );
    }));

  it('names a unit of the host’s own that went meanwhile', () =>
    withLab(async ({ repository, systemd, host }) => {
      const commit = repository.commit({});
      for (const unit of ['a.timer', 'a.service']) await systemd.addOwn(unit);
      const on = await host([job('a')]);
      let looks = 0;
      const going = {
        ...systemd,
        show: async (unit: string, properties: readonly string[]) =>
          ++looks > 2 ? { LoadState: 'not-found' } : systemd.show(unit, properties),
      };
      expectFailed(
        await on.run(put(commit), { systemd: going }),
        'unknown_unit',
        /systemd does not take a\.service: not-found$/,
      );
    }));
});

describe('putting back the unit files of the release before', () => {
  it('is exactly what was in place: texts, units, jobs, and not those of the target', () =>
    withLab(async ({ repository, systemd, host }) => {
      const good = repository.commit(filesOf('a', 'b'));
      const before = await host([job('a'), job('b')]);
      await before.run(put(good));
      await before.run(timers);
      const old = systemd.text('a.timer');
      const bad = repository.commit({ 'units/a.timer': TIMER.replace('daily', 'weekly'), ...filesOf('c') });
      const failing = await host([job('a'), job('c')]);
      expectDone(await failing.run(put(bad)));
      expect(systemd.text('a.timer')).to.contain('weekly');
      await failing.run(timers);
      expect(systemd.text('b.timer')).to.equal(null);
      expectDone(await failing.run(restore(good)));
      expect([
        systemd.text('a.timer'),
        systemd.text('b.timer') === null,
        systemd.text('c.timer'),
      ]).to.deep.equal([old, false, null]);
      expect(systemd.asked.slice(-4)).to.deep.equal([
        'stop c.timer',
        'disable c.timer',
        'stop a.timer',
        'daemon-reload',
      ]);
      expectDone(await failing.run(timers));
      const jobs = await installedJobs(failing.stateFolder, failing.target);
      expect(jobs.map(({ name }) => name)).to.deep.equal(['a', 'b']);
    }));

  it('is what the commit has and the host knows, where it is not known what was in place', () =>
    withLab(async ({ repository, systemd, host }) => {
      const good = repository.commit(filesOf('a'));
      for (const unit of ['b.timer', 'b.service']) await systemd.addOwn(unit);
      const on = await host([job('a'), job('b'), job('c')]);
      expectDone(await on.run(restore(good)));
      const jobs = await installedJobs(on.stateFolder, on.target);
      expect(jobs.map(({ name }) => name)).to.deep.equal(['a', 'b']);
      expect(await readInstalledFor(on.stateFolder, on.target, 'c'.repeat(40))).to.equal(null);
    }));

  it('leaves what somebody put in its place alone, and says so', () =>
    withLab(async ({ repository, systemd, host }) => {
      const good = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      await on.run(put(good));
      await systemd.addOwn('a.timer', 'by hand');
      expectFailed(
        await on.run(restore(good)),
        'preflight_failed',
        /a\.timer: the files there are not Fraisier's/,
      );
      expect(systemd.text('a.timer')).to.equal('by hand');
    }));

  it('does not count a unit that the failed release brought as the host’s own', () =>
    withLab(async ({ repository, host }) => {
      const good = repository.commit({});
      const bad = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      await on.run(put(bad));
      expectDone(await on.run(restore(good)));
      expect(await installedJobs(on.stateFolder, on.target)).to.deep.equal([]);
    }));

  it('keeps what was in place for the hundred releases put in place last', () =>
    withLab(async ({ repository, host }) => {
      const commit = repository.commit(filesOf('a'));
      const on = await host([job('a')]);
      await on.run(put(commit));
      const [name = ''] = await readdir(join(on.stateFolder, 'units'));
      const records = join(on.stateFolder, 'units', name);
      for (let at = 0; at < 101; at++)
        await writeFile(join(records, `${at.toString(16).padStart(40, 'f')}.json`), '{}');
      await on.run(put(commit));
      expect((await readdir(records)).length).to.equal(101);
      expect(existsSync(join(records, `${commit}.json`))).to.equal(true);
    }));
});

describe('the timers of the jobs', () => {
  it('are enabled and started, and systemd says when they elapse', () =>
    withLab(async ({ repository, systemd, host }) => {
      const on = await host([job('a'), job('b')]);
      await on.run(put(repository.commit(filesOf('a', 'b'))));
      systemd.asked.length = 0;
      systemd.says.set('b.timer', { NextElapseUSecRealtime: '', NextElapseUSecMonotonic: '2h 5min' });
      expectDone(
        await on.run(timers),
        'a.timer: next Thu 2099-01-01 00:00:00 UTC; b.timer: next 2h 5min after the boot',
      );
      expect(systemd.asked).to.deep.equal([
        'enable a.timer',
        'start a.timer',
        'enable b.timer',
        'start b.timer',
      ]);
    }));

  it('are those of the target where none were put in place', () =>
    withLab(async ({ systemd, host }) => {
      for (const unit of ['a.timer', 'a.service']) await systemd.addOwn(unit);
      systemd.says.set('a.timer', {
        SubState: 'running',
        NextElapseUSecRealtime: '',
        UnitFileState: 'static',
      });
      const on = await host([job('a')]);
      expectDone(await on.run(timers), 'a.timer: its job runs now');
      expect(on.notes.map(({ code }) => code)).to.deep.equal(['not_enabled']);
    }));

  it('are not held responsible for how a job ended under the release before', () =>
    withLab(async ({ systemd, host }) => {
      for (const unit of ['a.timer', 'a.service']) await systemd.addOwn(unit);
      const on = await host([job('a')]);
      systemd.says.set('a.service', { ActiveState: 'failed' });
      expectDone(await on.run(timers));
      expect(systemd.asked[0]).to.equal('reset-failed a.service');
      systemd.says.set('a.service', { ActiveState: 'failed' });
      systemd.fails.add('reset-failed a.service');
      expectFailed(await on.run(timers), 'timer_failed', /reset-failed a\.service/);
    }));

  it('fail the step when one is not active, never elapses, or cannot be enabled or started', () =>
    withLab(async ({ systemd, host }) => {
      for (const unit of ['a.timer', 'a.service']) await systemd.addOwn(unit, 'never');
      const on = await host([job('a')]);
      expectFailed(
        await on.run(timers),
        'timer_failed',
        /a\.timer is active, but systemd knows no moment at which it elapses/,
      );
      systemd.says.set('a.timer', { ActiveState: 'failed', Result: 'resources' });
      expectFailed(
        await on.run(timers),
        'timer_failed',
        /not active after it was started \(failed, resources\)/,
      );
      systemd.says.set('a.timer', { ActiveState: '', Result: '' });
      expectFailed(await on.run(timers), 'timer_failed', /\(unknown\)/);
      systemd.says.delete('a.timer');
      for (const act of ['enable', 'start']) {
        systemd.fails.add(`${act} a.timer`);
        expectFailed(await on.run(timers), 'timer_failed', `systemctl ${act} a.timer`);
        systemd.fails.clear();
      }
    }));
});

describe('taking back a first release with jobs', () => {
  const deactivate = { $case: 'deactivate', value: { systemdService: '', jobs: true } } as const;

  it('stops and disables the timers, removes the unit files, and leaves those of the host', () =>
    withLab(async ({ repository, systemd, host }) => {
      for (const unit of ['b.timer', 'b.service']) await systemd.addOwn(unit, 'mine');
      const on = await host([job('a'), job('b'), job('c')]);
      await (await host([job('a'), job('b')])).run(put(repository.commit(filesOf('a'))));
      systemd.asked.length = 0;
      expectDone(await on.run(deactivate), 'nothing was live');
      expect(systemd.asked).to.deep.equal([
        ...['stop a.timer', 'disable a.timer', 'stop b.timer', 'disable b.timer', 'daemon-reload'],
      ]);
      expect([systemd.text('a.timer'), systemd.text('b.timer')]).to.deep.equal([null, 'mine']);
      expect(await installedJobs(on.stateFolder, { ...on.target, jobs: [] })).to.deep.equal([]);
      expectDone(await on.run(deactivate));
    }));

  it('says what systemd will not do, and that there is none', () =>
    withLab(async ({ repository, systemd, host }) => {
      const on = await host([job('a')]);
      await on.run(put(repository.commit(filesOf('a'))));
      systemd.fails.add('stop a.timer');
      expectFailed(await on.run(deactivate), 'timer_failed', /systemctl stop a\.timer/);
      systemd.fails.clear();
      systemd.fails.add('daemon-reload');
      expectFailed(await on.run(deactivate), 'activate_failed', /daemon-reload/);
      expectFailed(await on.run(deactivate, { systemd: null }), 'preflight_failed', /no systemd/);
    }));
});

describe('the units of jobs', () => {
  it('are each named once, with where their file may be', () => {
    const jobs = [job('a'), job('b', { service: 'a.service', timerFile: 'x/b.timer' })];
    expect(unitsOf({ jobs, units: 'units' })).to.deep.equal([
      { unit: 'a.service', path: 'units/a.service', named: false },
      { unit: 'a.timer', path: 'units/a.timer', named: false },
      { unit: 'b.timer', path: 'x/b.timer', named: true },
    ]);
    expect(unitsOf({ jobs: [job('a')], units: '' })[0]).to.deep.equal({
      unit: 'a.service',
      path: '',
      named: false,
    });
  });
});
