import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import type { Question } from '../../proto/gen/fraisier/v1/agent.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import { agentAddresses } from '../../agent/addresses.js';
import { allowInPolicy } from '../../agent/allow.js';
import { sleepUntil, systemClock } from '../../agent/clock.js';
import { processEnvironment, readConfig } from '../../agent/config.js';
import { systemDisk } from '../../agent/disk.js';
import { hostAsks } from '../../agent/host-asks.js';
import { readJoinToken } from '../../agent/join-token.js';
import { LiveFraises } from '../../agent/live.js';
import { createLogger } from '../../agent/logger.js';
import { loadPolicy } from '../../agent/policy.js';
import { answerQuestion, type Asks } from '../../agent/questions.js';
import { lockState } from '../../agent/state-lock.js';
import { pruneTombstones } from '../../agent/tombstones.js';
import { agentUnit } from '../../agent/unit-file.js';
import { agentVersion } from '../../agent/version.js';
import { until } from '../support/until.js';
import { anAssignment, COMMIT, withFolder } from './builders.js';
import { forever } from './fake-exec.js';
import { ManualClock } from './manual-clock.js';

const never = new AbortController().signal;
const TARGET = anAssignment([]).target as Target;

describe('the configuration of an agent', () => {
  it('has a default for root and one for everybody else', () => {
    expect(readConfig({}, {}, 0)).to.deep.equal({
      controllers: [],
      joinTokenFile: null,
      joinToken: null,
      state: '/var/lib/fraisier/agent',
      policy: '/etc/fraisier/policy.yaml',
      logLevel: 'info',
    });
    expect(readConfig({}, { HOME: '/home/ann' }, 1000)).to.deep.include({
      state: '/home/ann/.local/state/fraisier/agent',
      policy: '/home/ann/.local/state/fraisier/agent/policy.yaml',
    });
    expect(readConfig({}, { XDG_STATE_HOME: '/s' }, 1000).state).to.equal('/s/fraisier/agent');
    expect(readConfig({}, {}, 1000).state).to.match(/^\/.*\/fraisier\/agent$/);
  });

  it('takes flags before the environment', () => {
    const environment = {
      FRAISIER_CONTROLLER: 'a, b:1',
      FRAISIER_JOIN_TOKEN: 'frj_x',
      FRAISIER_STATE: '/e',
      FRAISIER_POLICY: '/e/p',
      FRAISIER_LOG_LEVEL: 'debug',
    };
    expect(readConfig({}, environment, 0)).to.deep.equal({
      controllers: ['a', 'b:1'],
      joinTokenFile: null,
      joinToken: 'frj_x',
      state: '/e',
      policy: '/e/p',
      logLevel: 'debug',
    });
    const said = { controllers: ['c', 'c,d'], joinTokenFile: 'F', state: '/f', policy: '/f/p' };
    expect(readConfig(said, environment, 0)).to.deep.include({
      controllers: ['c', 'd'],
      joinTokenFile: 'F',
      joinToken: null,
      state: '/f',
      policy: '/f/p',
    });
  });

  it('refuses a socket of another machine and an unknown level', () => {
    expect(() => readConfig({ controllers: ['unix:/x'] }, {}, 0)).to.throw(FraisierError, 'unix:/x');
    expect(() => readConfig({}, { FRAISIER_LOG_LEVEL: 'loud' }, 0)).to.throw(
      FraisierError,
      'known are trace',
    );
    expect(processEnvironment()).to.equal(process.env);
  });

  it('dials what the controllers said, then what the operator said on the agents’ port', () => {
    expect(agentAddresses(['a:9091'], ['a', 'b:9090', 'c:7000'])).to.deep.equal([
      'a:9091',
      'b:9091',
      'c:7000',
    ]);
  });

  it('reads the join token from a file or the environment, and says when it cannot', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'token');
      await writeFile(file, 'frj_1\n');
      expect(await readJoinToken(readConfig({ joinTokenFile: file }, {}, 0))).to.equal('frj_1\n');
      expect(await readJoinToken(readConfig({}, { FRAISIER_JOIN_TOKEN: 'frj_2' }, 0))).to.equal('frj_2');
      const error = await failure(readJoinToken(readConfig({ joinTokenFile: join(folder, 'none') }, {}, 0)));
      expect(error).to.be.instanceOf(FraisierError);
    }));

  it('knows its version, and logs without secrets', async () => {
    expect(await agentVersion()).to.match(/^\d+\.\d+\.\d+/);
    let text = '';
    const sink = new Writable({ write: (chunk: Buffer, _, done) => ((text += chunk.toString()), done()) });
    createLogger('info', sink).info({ token: 'frj_1', more: { csrPem: 'x' }, run: 'r_1' }, 'said');
    expect(JSON.parse(text)).to.deep.include({
      token: '[Redacted]',
      more: { csrPem: '[Redacted]' },
      run: 'r_1',
      msg: 'said',
    });
  });
});

describe('the lock of the state folder', () => {
  it('keeps a second agent out, and is free again afterwards', () =>
    withFolder(async (folder) => {
      const state = join(folder, 'deep', 'state');
      const lock = await lockState(state);
      const error = await failure(lockState(state));
      expect(error)
        .to.have.property('message')
        .that.contains(`(process ${process.pid}) uses the state folder ${state}`);
      await lock.release();
      await (await lockState(state)).release();
    }));

  it('is gone with a process that was killed', () =>
    withFolder(async (folder) => {
      const module = new URL('../../agent/state-lock.js', import.meta.url).href;
      const code = `import(${JSON.stringify(module)}).then(async (m) => { globalThis.lock = await m.lockState(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000); })`;
      const other = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(other.stdout, 'data');
      expect(await failure(lockState(folder))).to.be.instanceOf(FraisierError);
      other.kill('SIGKILL');
      await once(other, 'exit');
      await (await lockState(folder)).release();
    }));

  it('asks for the process in the file where there is no flock', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'lock'), `${process.ppid}\n`);
      expect(await failure(lockState(folder, 'no-such-flock'))).to.be.instanceOf(FraisierError);
      for (const text of ['', 'x', '4194305']) {
        await writeFile(join(folder, 'lock'), text);
        await (await lockState(folder, 'no-such-flock')).release();
      }
    }));
});

describe('questions', () => {
  const asks: Asks = {
    resolveRef: () => Promise.resolve({ commit: COMMIT }),
    inspect: () => Promise.reject(new FraisierError('policy_refused', 'no')),
    preview: () => Promise.reject(new Error('bug')),
    isAncestor: (_, signal) => forever(signal),
    changedPaths: () => Promise.resolve({ paths: ['a'], truncated: false }),
  };
  const ask = (question: Question['question'], clock = new ManualClock(), deadlineMs = 0) =>
    answerQuestion({ asks, clock }, { questionId: 'q_1', deadlineMs, question }, never);

  it('are answered, or refused with the reason', async () => {
    const found = await ask({ $case: 'resolveRef', value: { target: TARGET, ref: 'main', steps: [] } });
    expect(found).to.deep.equal({
      questionId: 'q_1',
      answer: { $case: 'resolved', value: { commit: COMMIT } },
    });
    expect(await codeOf(ask({ $case: 'inspect', value: { target: TARGET, health: undefined } }))).to.equal(
      'policy_refused',
    );
    const between = { target: TARGET, from: COMMIT, to: COMMIT };
    expect((await ask({ $case: 'changedPaths', value: between })).answer).to.deep.equal({
      $case: 'pathsBetween',
      value: { paths: ['a'], truncated: false },
    });
    const preview = { target: TARGET, commit: COMMIT, steps: [], migrationPaths: [], migrationTool: '' };
    expect(await codeOf(ask({ $case: 'preview', value: preview }))).to.equal('internal');
    expect(await codeOf(ask(undefined))).to.equal('protocol_violation');
  });

  it('are refused when their deadline has passed', async () => {
    const clock = new ManualClock();
    const value = { target: TARGET, ancestor: 'a', descendant: 'b' };
    const answer = ask({ $case: 'isAncestor', value }, clock, 500);
    await until('the deadline to run', () => clock.sleepers() === 1);
    clock.advance(500);
    expect(await codeOf(answer)).to.equal('no_answer');
    expect(clock.sleepers()).to.equal(0);
  });

  it('are bound to the host and its policy', () =>
    withFolder(async (folder) => {
      const policy = join(folder, 'policy.yaml');
      const host = hostAsks({ stateFolder: folder, systemd: null, loadPolicy: () => loadPolicy(policy) });
      const target = { ...TARGET, appPath: join(folder, 'app'), repository: join(folder, 'none.git') };
      const refused = [
        host.inspect({ target, health: undefined }, never),
        host.resolveRef({ target, ref: 'main', steps: [] }, never),
        host.isAncestor({ target, ancestor: COMMIT, descendant: COMMIT }, never),
        host.changedPaths({ target, from: COMMIT, to: COMMIT }, never),
      ];
      for (const answer of refused) expect((await refusal(answer)).reason.code).to.equal('policy_refused');
      expect(
        (
          await host.preview(
            { target, commit: COMMIT, steps: [], migrationPaths: [], migrationTool: '' },
            never,
          )
        ).refusals,
      ).to.have.length(1);
      expect(
        (await refusal(host.inspect({ target: undefined, health: undefined }, never))).reason.code,
      ).to.equal('protocol_violation');
      await allowInPolicy({
        policy,
        paths: [folder],
        repositories: [target.repository],
        users: [userInfo().username],
      });
      expect((await host.inspect({ target, health: undefined }, never)).release).to.equal('');
    }));
});

describe('what is live on a host', () => {
  it('is what the links say of every target that was seen', () =>
    withFolder(async (folder) => {
      const found = { release: COMMIT, provenGood: true, origin: '' };
      const nothing = { release: '', provenGood: false, origin: '' };
      const look = ({ fraise }: Target) => Promise.resolve(fraise === 'shop' ? found : nothing);
      const live = new LiveFraises({ disk: systemDisk, look }, folder);
      expect(await live.list()).to.deep.equal([]);
      await live.remember(TARGET);
      await live.remember(TARGET);
      await live.remember({ ...TARGET, fraise: 'unborn' });
      expect(await new LiveFraises({ disk: systemDisk, look }, folder).list()).to.deep.equal([
        { fraise: 'shop', environment: 'production', appPath: '/srv/shop', ...found },
      ]);
    }));
});

describe('the tombstones of runs', () => {
  it('are kept for seven days, the newest two hundred', () =>
    withFolder(async (folder) => {
      const now = new Date('2026-11-23T10:00:00Z');
      const bury = async (name: string, text: string | null): Promise<void> => {
        await mkdir(join(folder, name));
        if (text !== null) await writeFile(join(folder, name, 'done'), text);
      };
      const day = (age: number) => new Date(now.getTime() - age * 86_400_000).toISOString();
      await bury('r_alive', null);
      await bury('r_old', day(8));
      await bury('r_broken', 'never');
      for (let index = 0; index < 201; index += 1) await bury(`r_${index}`, day(index / 100));
      const kept = await pruneTombstones(systemDisk, folder, now);
      expect(kept).to.have.length(200);
      const left = await systemDisk.list(folder);
      expect(left).to.have.length(201).and.include('r_alive').and.not.include.members(['r_200']);
    }));
});

describe('the system’s clock and disk', () => {
  it('sleep until a time, in pieces, and never past an abort', async () => {
    const clock = new ManualClock();
    const slept = sleepUntil(clock, new Date(clock.now().getTime() + 5_400_000), never);
    await until('the first piece', () => clock.sleepers(3_600_000) === 1);
    clock.advance(3_600_000);
    await until('the second', () => clock.sleepers(1_800_000) === 1);
    clock.advance(1_800_000);
    await slept;
    expect(await failure(systemClock.sleep(10, AbortSignal.abort(new Error('over'))))).to.have.property(
      'message',
      'over',
    );
    const before = systemClock.uptimeMs();
    await systemClock.sleep(30, never);
    expect(systemClock.uptimeMs() - before).to.be.within(10, 5_000);
    expect(systemClock.now().getTime()).to.be.closeTo(Date.now(), 1_000);
  });

  it('read what is absent as nothing, and throw everything else', () =>
    withFolder(async (folder) => {
      const none = join(folder, 'none');
      expect(await systemDisk.list(none)).to.deep.equal([]);
      expect(await systemDisk.read(none)).to.equal(null);
      expect(await systemDisk.readAt(none, 0, 10)).to.have.length(0);
      expect(await systemDisk.size(none)).to.equal(0);
      await systemDisk.sync(none);
      await systemDisk.remove(none);
      await symlink(none, none);
      expect(await failure(systemDisk.read(none))).to.have.property('code', 'ELOOP');
      await systemDisk.writeWhole(join(folder, 'file'), Buffer.from('text'), 0o644);
      expect(await systemDisk.readAt(join(folder, 'file'), 2, 10)).to.deep.equal(Buffer.from('xt'));
      expect(await readFile(join(folder, 'file'), 'utf8')).to.equal('text');
    }));
});

describe('the unit of an agent', () => {
  it('starts this program, quotes what it says, and leaves commands alone', () => {
    const config = readConfig(
      { controllers: ['ctl:9090'], state: '/var/my "state"', policy: '/etc/100%' },
      {},
      0,
    );
    const unit = agentUnit(['/usr/bin/node', '/opt/$fraisier/bin.js'], config);
    expect(unit).to.contain('ExecStart="/usr/bin/node" "/opt/$$fraisier/bin.js" "agent"\n');
    expect(unit).to.contain(
      'Environment="FRAISIER_CONTROLLER=ctl:9090"\nEnvironment="FRAISIER_STATE=/var/my \\"state\\""\nEnvironment="FRAISIER_POLICY=/etc/100%%"\n',
    );
    for (const line of ['Type=exec', 'KillMode=process', 'Restart=always', 'RestartPreventExitStatus=2 5'])
      expect(unit).to.contain(`\n${line}\n`);
    expect(agentUnit(['node', 'x'], readConfig({}, {}, 0))).not.to.contain('FRAISIER_CONTROLLER');
  });
});

async function codeOf(answer: ReturnType<typeof answerQuestion>): Promise<string | undefined> {
  const said = (await answer).answer;
  return said?.$case === 'refused' ? said.value.code : undefined;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  );
}

async function refusal(work: Promise<unknown>): Promise<FraisierError> {
  const error = await failure(work);
  if (error instanceof FraisierError) return error;
  throw error;
}
