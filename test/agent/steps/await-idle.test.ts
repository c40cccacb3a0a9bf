import { existsSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { findRunning } from '../../../agent/steps/find-running.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Job } from '../../../proto/gen/fraisier/v1/plan.js';
import { until } from '../../support/until.js';
import { withFolder } from '../exec/a-spec.js';
import { aHost, aSystemd, aTarget, type TestHost } from './a-step-context.js';

const OLD = 'a'.repeat(40);
/** They wait for a line that never comes, without a process of their own for it. */
const SLEEPS = 'trap "exit 0" TERM\nread line\n';
const STUBBORN = 'trap "" TERM\nread line\n';

interface Lab {
  readonly host: TestHost;
  readonly release: string;
  /** Starts a process and returns when it is itself. */
  readonly start: (argv: readonly [string, ...string[]], cwd?: string) => Promise<ChildProcess>;
}

/** A host on which a release with `run.sh` is live; processes that are left are killed. */
async function withLab(test: (lab: Lab) => Promise<void>, text = SLEEPS): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder);
    const release = join(folder, 'app/releases', OLD);
    await mkdir(release, { recursive: true });
    await writeFile(join(release, 'run.sh'), text, { mode: 0o755 });
    await symlink(`releases/${OLD}`, join(folder, 'app/current'));
    const started: ChildProcess[] = [];
    const start: Lab['start'] = async ([program, ...args], cwd = release) => {
      const child = spawn(program, args, { cwd, stdio: ['pipe', 'ignore', 'ignore'] });
      started.push(child);
      await once(child, 'spawn');
      return child;
    };
    try {
      await test({ host, release, start });
    } finally {
      for (const child of started.filter((one) => one.exitCode === null && one.signalCode === null)) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });
}

const idle = (more: { limitMs?: number; pastLimit?: string; commit?: string; units?: string[] } = {}) =>
  ({ $case: 'awaitIdle', value: { script: 'run.sh', limitMs: 0, pastLimit: 'fail', ...more } }) as const;

function summaryOf(end: StepEnd): string | undefined {
  expect(end.outcome, JSON.stringify(end)).to.equal('OUTCOME_SUCCEEDED');
  return 'result' in end ? end.result?.summary : undefined;
}

function running(host: TestHost, script = 'run.sh'): ReturnType<typeof findRunning> {
  return findRunning(host.target, { units: [], script }, { systemd: null, now: () => new Date() });
}

describe('finding the runs of a script', () => {
  for (const [how, argv] of [
    ['handed to its interpreter by its name', ['sh', 'run.sh', 'and', 'more']],
    ['called by itself', ['./run.sh']],
  ] as const) {
    it(`sees one ${how}, with its process and since when`, () =>
      withLab(async ({ host, start }) => {
        const before = Date.now();
        const child = await start([...argv]);
        const [found, ...others] = await running(host);
        expect(others).to.deep.equal([]);
        expect(found).to.include({ pid: child.pid, unit: '' });
        expect(found?.what).to.contain('run.sh');
        expect(Math.abs((found?.since.getTime() ?? 0) - before)).to.be.lessThan(5_000);
      }));
  }

  it('sees it through the link to the live release, and through any other link to it', () =>
    withLab(async ({ host, start }) => {
      const through = join(host.folder, 'app/current/run.sh');
      await symlink(through, join(host.folder, 'run.sh'));
      const one = await start(['sh', through], '/');
      const two = await start(['sh', join(host.folder, 'run.sh')], '/');
      const pids = (await running(host)).map(({ pid }) => pid);
      expect(pids).to.have.members([one.pid, two.pid]);
    }));

  it('sees it below the root of a monorepo, and in a checkout that is deployed in place', () =>
    withLab(async ({ host, release, start }) => {
      await mkdir(join(release, 'jobs'));
      await writeFile(join(release, 'jobs/run.sh'), SLEEPS);
      await mkdir(join(host.folder, 'app/jobs'));
      await writeFile(join(host.folder, 'app/jobs/run.sh'), SLEEPS);
      const one = await start(['sh', 'run.sh'], join(release, 'jobs'));
      const two = await start(['sh', 'jobs/run.sh'], join(host.folder, 'app'));
      const target = { ...host.target, root: 'jobs' };
      const found = await findRunning(
        target,
        { units: [], script: 'run.sh' },
        { systemd: null, now: () => new Date() },
      );
      expect(found.map(({ pid }) => pid)).to.have.members([one.pid, two.pid]);
    }));

  it('sees one of a release that was removed under it', () =>
    withLab(async ({ host, release, start }) => {
      const begun = join(host.folder, 'begun');
      const child = await start(['sh', join(release, 'run.sh'), begun], '/');
      await until('the script to be read', () => existsSync(begun));
      await rm(release, { recursive: true });
      expect((await running(host)).map(({ pid }) => pid)).to.deep.equal([child.pid]);
    }, `: >"$1"\n${SLEEPS}`));

  it('knows the interpreter that the first line names, known or not', () =>
    withLab(async ({ host, release, start }) => {
      await writeFile(join(release, 'odd'), '#!/usr/bin/tail -f\n', { mode: 0o755 });
      const child = await start(['./odd']);
      expect((await running(host, 'odd')).map(({ pid }) => pid)).to.deep.equal([child.pid]);
    }));

  it('names a long command line by its beginning', () =>
    withLab(async ({ host, start }) => {
      await start(['sh', 'run.sh', 'x'.repeat(200)]);
      const [found] = await running(host);
      expect(found?.what).to.match(/^process \d+ \(sh run\.sh x+…\)$/);
    }));

  it('does not take for a run: an editor, another script, the same name elsewhere', () =>
    withLab(async ({ host, release, start }) => {
      await writeFile(join(release, 'other.sh'), SLEEPS);
      await writeFile(join(host.folder, 'run.sh'), SLEEPS);
      await start(['tail', '-f', 'run.sh']);
      await start(['sh', 'other.sh']);
      await start(['sh', 'run.sh'], host.folder);
      expect(await running(host)).to.deep.equal([]);
      expect(await running(host, '')).to.deep.equal([]);
    }));
});

describe('finding the units of a fraise at work', () => {
  const unitsAtWork = async (unit: Record<string, string>, job: boolean) => {
    const jobs = job ? [Job.fromPartial({ name: 'a', service: 'a', timer: 'a.timer' })] : [];
    return findRunning(
      aTarget('/nowhere', { appPath: '/nowhere', jobs }),
      { units: ['a'], script: '' },
      { systemd: aSystemd({ 'a.service': unit }), now: () => new Date(0) },
    );
  };

  for (const [words, unit, job, busy] of [
    [
      'one that is starting is',
      { ActiveState: 'activating', MainPID: '12' },
      false,
      'a.service (process 12)',
    ],
    [
      'one that is stopping is',
      { ActiveState: 'deactivating', MainPID: '0', ExecMainPID: '13' },
      false,
      'a.service (process 13)',
    ],
    ['a job that is active is', { ActiveState: 'active', SubState: 'running' }, true, 'a.service'],
    [
      'what a timer starts, being active, is',
      { ActiveState: 'active', SubState: 'running', TriggeredBy: 'a.timer' },
      false,
      'a.service',
    ],
    [
      'a service that is meant to stay up is not',
      { ActiveState: 'active', SubState: 'running' },
      false,
      null,
    ],
    [
      'a job that has ended and is still called active is not',
      { ActiveState: 'active', SubState: 'exited' },
      true,
      null,
    ],
    ['one that is inactive is not', { ActiveState: 'inactive' }, true, null],
  ] as const) {
    it(words, async () => {
      const [found] = await unitsAtWork(unit, job);
      expect(found?.what ?? null).to.equal(busy);
    });
  }

  it('since when is what systemd says', async () => {
    const unit = { ActiveState: 'activating', StateChangeTimestamp: 'Mon 2026-11-23 00:53:00 UTC' };
    const [found] = await unitsAtWork(unit, true);
    expect(found?.since.toISOString()).to.equal('2026-11-23T00:53:00.000Z');
  });

  it('is not asked where there is no systemd, and names a process once that is a unit’s', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      const wanted = { units: ['a'], script: 'run.sh' };
      const now = () => new Date();
      const without = await findRunning(host.target, wanted, { systemd: null, now });
      expect(without.map(({ unit }) => unit)).to.deep.equal(['']);
      const systemd = aSystemd({ 'a.service': { ActiveState: 'activating', MainPID: String(child.pid) } });
      const found = await findRunning(host.target, wanted, { systemd, now });
      expect(found.map(({ unit }) => unit)).to.deep.equal(['a.service']);
    }));
});

describe('waiting until nothing of a fraise is at work', () => {
  it('is over at once when nothing is, or when the release is live already', () =>
    withLab(async ({ host, start }) => {
      expect(summaryOf(await host.run(idle()))).to.equal('nothing is at work');
      await start(['sh', 'run.sh']);
      expect(summaryOf(await host.run(idle({ commit: OLD })))).to.equal('live already: nothing to wait for');
      const end = await host.run(idle({ commit: 'b'.repeat(40) }));
      expect(end).to.have.nested.property('reason.code', 'still_running');
    }));

  it('waits for a run to end, and says once for whom and since when', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      const sleep: StepContext['sleep'] = async () => {
        child.kill('SIGTERM');
        await until('the run to end', () => child.exitCode !== null);
      };
      expect(summaryOf(await host.run(idle({ limitMs: 60_000 }), { sleep }))).to.equal('nothing is at work');
      expect(host.notes.map(({ code }) => code)).to.deep.equal(['waiting']);
      expect(host.notes[0]?.message).to.match(
        /^waiting up to \d+ s for process \d+ \(sh run\.sh\), since 20\S+Z$/,
      );
      expect(host.notes[0]?.facts).to.include({ pids: String(child.pid), units: '' });
    }));

  it('fails past its limit, with what is at work still', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      let ms = Date.now();
      const clock = { sleep: async (wait: number) => void (ms += wait), now: () => new Date(ms) };
      const end = await host.run(idle({ limitMs: 100 }), clock);
      expect(end).to.have.nested.property('reason.code', 'still_running');
      expect('reason' in end && end.reason.message).to.match(
        /^still at work after 1 s: process \d+ \(sh run\.sh\), since /,
      );
      expect('reason' in end && end.reason.facts['pids']).to.equal(String(child.pid));
      expect([child.exitCode, host.notes.length]).to.deep.equal([null, 1]);
    }));

  it('goes on beside it, if it is told to', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      expect(summaryOf(await host.run(idle({ pastLimit: 'continue' })))).to.match(/^going on beside process/);
      expect([host.notes.map(({ code }) => code), child.exitCode]).to.deep.equal([['went_on'], null]);
    }));

  it('stops it, if it is told to: units by systemd, processes by SIGTERM', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      const unit = { ActiveState: 'activating' };
      const stop = async () => {
        unit.ActiveState = 'inactive';
        return { ended: 'exited', exitCode: 0, output: '' } as const;
      };
      const systemd = aSystemd({ 'a.service': unit }, { stop });
      const end = await host.run(idle({ pastLimit: 'stop', units: ['a'] }), { systemd });
      expect(summaryOf(end)).to.match(/^stopped a\.service, process \d+/);
      await until('the run to end', () => child.exitCode !== null);
      expect(child.exitCode).to.equal(0);
    }));

  it('kills what does not mind SIGTERM', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      await until('the trap to be set', async () => (await running(host)).length === 1);
      let ms = Date.now();
      const sleep: StepContext['sleep'] = async (wait) => {
        ms += wait;
        await new Promise((done) => setTimeout(done, 20));
      };
      const end = await host.run(idle({ pastLimit: 'stop' }), { sleep, now: () => new Date(ms) });
      expect(summaryOf(end)).to.match(/^stopped process/);
      await until('the run to end', () => child.signalCode !== null);
      expect(child.signalCode).to.equal('SIGKILL');
    }, STUBBORN));

  it('fails when what it stopped is at work all the same, or systemd does not stop it', () =>
    withLab(async ({ host }) => {
      const unit = { 'a.service': { ActiveState: 'activating', MainPID: '0' } };
      let ms = 0;
      const clock = { sleep: async (wait: number) => void (ms += wait), now: () => new Date(ms) };
      const stuck = await host.run(idle({ pastLimit: 'stop', units: ['a'] }), {
        systemd: aSystemd(unit),
        ...clock,
      });
      expect(stuck)
        .to.have.nested.property('reason.message')
        .that.matches(/^still at work although it was stopped: a\.service/);
      const stop = async () => ({ ended: 'exited', exitCode: 1, output: 'refused' }) as const;
      const end = await host.run(idle({ pastLimit: 'stop', units: ['a'] }), {
        systemd: aSystemd(unit, { stop }),
      });
      expect(end).to.have.nested.property(
        'reason.message',
        'stopping a.service exited with status 1: refused',
      );
    }));

  it('stops nothing twice: what ended meanwhile is not missed', () =>
    withLab(async ({ host, start }) => {
      const child = await start(['sh', 'run.sh']);
      const note: StepContext['note'] = async () => {
        child.kill('SIGKILL');
        await once(child, 'exit');
      };
      expect(summaryOf(await host.run(idle({ pastLimit: 'stop' }), { note }))).to.match(/^stopped process/);
    }));

  it('says again for whom it waits when that changes', () =>
    withLab(async ({ host }) => {
      const unit: Record<string, string> = { ActiveState: 'activating', MainPID: '5' };
      const sleep: StepContext['sleep'] = async () => {
        if (unit['MainPID'] === '6') unit['ActiveState'] = 'inactive';
        unit['MainPID'] = '6';
      };
      const systemd = aSystemd({ 'a.service': unit });
      summaryOf(
        await host.run(idle({ limitMs: 60_000, units: ['a'] }), { systemd, sleep, now: () => new Date(0) }),
      );
      expect(host.notes.map(({ facts }) => facts['pids'])).to.deep.equal(['5', '6']);
    }));
});
