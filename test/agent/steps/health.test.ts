import { chmod, mkdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { Health, Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import type { HealthProbe, HttpProbe, Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { until, withFolder } from '../exec/a-spec.js';
import { aFreePort, listening, withService } from './a-service.js';
import { aHost, aSystemd } from './a-step-context.js';
import type { TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

type AProbe = Parameters<typeof HealthProbe.fromPartial>[0];

async function withLive(use: (host: TestHost) => Promise<void>, target: Partial<Target> = {}): Promise<void> {
  await withFolder(async (folder) => {
    const host = await aHost(folder, target);
    await mkdir(join(host.target.appPath, 'releases', COMMIT), { recursive: true });
    await writeReleaseMark(host.target, {
      commit: COMMIT,
      stagedAt: 'x',
      activatedAt: 'x',
      provenGoodAt: null,
      previous: null,
    });
    await symlink(`releases/${COMMIT}`, join(host.target.appPath, 'current'));
    await use(host);
  });
}

function http(url: string, more: Partial<HttpProbe> = {}): AProbe {
  return { name: url, timeoutMs: 5000, look: { $case: 'http', value: { url, ...more } } };
}

function command(...argv: string[]): AProbe {
  return { name: 'command', timeoutMs: 5000, look: { $case: 'command', value: { argv, commit: COMMIT } } };
}

function check(
  host: TestHost,
  probes: readonly AProbe[],
  health: Partial<Health> = {},
  more: Partial<StepContext> = {},
): Promise<StepEnd> {
  const value = Health.fromPartial({ attempts: 3, delayMs: 1, commit: COMMIT, ...health, probes });
  return host.run({ $case: 'health', value }, more);
}

const reasonOf = (end: StepEnd): ReturnType<typeof reason> =>
  end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;

const answersOf = (host: TestHost): readonly (string | undefined)[] =>
  host.notes.map(({ facts }) => facts['answer']);

/** A clock that goes only by sleeping. */
function aClock(): {
  now: () => Date;
  sleep: (ms: number) => Promise<void>;
  slept: number[];
  past: () => number;
} {
  let time = 0;
  const slept: number[] = [];
  const sleep = async (ms: number): Promise<void> => {
    slept.push(ms);
    time += ms;
  };
  return { now: () => new Date(time), sleep, slept, past: () => time };
}

describe('health', () => {
  it('succeeds on the wanted answer and marks the live release proven good', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end('{"ok": true}'),
        async (url) => {
          expect(await check(host, [http(url)])).to.deep.equal({
            outcome: Outcome.SUCCEEDED,
            result: { summary: '200 {"ok": true}' },
          });
          expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).to.be.a('string');
          expect(host.notes).to.deep.equal([
            {
              code: 'health_attempt',
              message: 'attempt 1 of 3: 200 {"ok": true}',
              facts: { attempt: '1', of: '3', answer: '200 {"ok": true}' },
            },
          ]);
        },
      ),
    ));

  it('tries again until its attempts are used up, each a note with its answer', () =>
    withLive((host) => {
      let asked = 0;
      return withService(
        (_, response) => {
          response.statusCode = ++asked < 3 ? 503 : 200;
          response.end(`try ${asked}`);
        },
        async (url) => {
          expect((await check(host, [http(url)])).outcome).to.equal(Outcome.SUCCEEDED);
          expect(answersOf(host)).to.deep.equal([
            '503 try 1 (wanted 200)',
            '503 try 2 (wanted 200)',
            '200 try 3',
          ]);
        },
      );
    }));

  it('fails naming the check and the last answer, with the journal of the unit', () =>
    withLive(
      (host) =>
        withService(
          (_, response) => {
            response.statusCode = 500;
            response.end(`oh no\n${'x'.repeat(1000)}`);
          },
          async (url) => {
            const end = await check(host, [http(url)], { attempts: 2 }, { systemd: aSystemd({}) });
            expect(reasonOf(end).code).to.equal('health_check_failed');
            expect(reasonOf(end).message).to.equal(
              `the health check ${url} did not turn green in 2 attempts; the last answer: 500 oh no ${'x'.repeat(194)} (wanted 200)`,
            );
            expect(reasonOf(end).hint).to.equal('on the host: journalctl -u checkout.service');
            expect(reasonOf(end).facts).to.include({ check: url, attempts: '2' });
            expect(host.log.join('\n')).to.include('last words of checkout.service');
            const silent = aSystemd({}, { show: async () => ({}), journalTail: async () => '' });
            expect((await check(host, [http(url)], { attempts: 1 }, { systemd: silent })).outcome).to.equal(
              Outcome.FAILED,
            );
            expect((await check(host, [http(url)], { attempts: 1 })).outcome).to.equal(Outcome.FAILED);
            expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).to.equal(null);
          },
        ),
      { systemdService: 'checkout' },
    ));

  it('tells a refused connection', () =>
    withLive(async (host) => {
      const port = await aFreePort();
      const end = await check(host, [http(`http://127.0.0.1:${port}/`)], { attempts: 0 });
      expect(reasonOf(end).message).to.include(
        `did not turn green in one attempt; the last answer: connect ECONNREFUSED 127.0.0.1:${port}`,
      );
      expect(reasonOf(end).hint).to.include('look at what the service printed');
    }));

  it('says which version is served instead of the deployed one', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end('{"build": {"commit": "0ld0ld0"}}'),
        async (url) => {
          const version = { versionField: 'build.commit', expectVersion: COMMIT };
          const end = await check(host, [http(url, version)], { attempts: 1 });
          expect(reasonOf(end).code).to.equal('wrong_version');
          expect(reasonOf(end).message).to.include(`it serves version 0ld0ld0, not ${COMMIT}`);
          expect(reasonOf(end).facts).to.include({ served_version: '0ld0ld0' });
        },
      ),
    ));

  it('ends at once where waiting cannot help, and says what to mend', () =>
    withLive((host) => {
      let asked = 0;
      return withService(
        (_, response) => {
          asked++;
          response.statusCode = 401;
          response.end();
        },
        async (url) => {
          const end = await check(host, [http(url)], { attempts: 100 });
          expect(reasonOf(end).code).to.equal('health_misconfigured');
          expect(reasonOf(end).message).to.equal(
            `the health check ${url} cannot turn green as it is configured: 401 (wanted 200)`,
          );
          expect(reasonOf(end).hint).to.include('give the check `headers`');
          expect(asked).to.equal(1);
          expect(host.notes).to.have.length(1);
          const none = await check(host, [], { attempts: 100 });
          expect(reasonOf(none).message).to.equal(
            'the health check cannot turn green as it is configured: there is nothing to ask',
          );
        },
      );
    }));

  it('must stay healthy for a while', () =>
    withLive((host) => {
      let asked = 0;
      const clock = aClock();
      return withService(
        (_, response) => {
          response.statusCode = ++asked === 3 ? 500 : 200;
          response.end();
        },
        async (url) => {
          const end = await check(host, [http(url)], { stableForMs: 150, delayMs: 60 }, clock);
          expect(end.outcome).to.equal(Outcome.SUCCEEDED);
          expect(answersOf(host)).to.deep.equal([
            '500 (wanted 200) (it was healthy first, but did not stay so)',
            '200',
          ]);
          expect([asked, clock.past()]).to.deep.equal([7, 120 + 60 + 150]);
        },
      );
    }));

  it('does not count a service that was restarted meanwhile, its own unit or one it asks about', () =>
    withLive(
      (host) =>
        withService(
          (_, response) => void response.end(),
          async (url) => {
            let looks = 0;
            const systemd = aSystemd(
              {},
              { show: async () => ({ NRestarts: String(++looks > 1 && looks < 4 ? 1 : 0) }) },
            );
            const end = await check(host, [http(url)], { attempts: 5 }, { systemd });
            expect(end.outcome).to.equal(Outcome.SUCCEEDED);
            expect(host.notes[0]?.facts['answer']).to.equal(
              'checkout.service was restarted while it had to stay up (1 restarts)',
            );
            let worker = 0;
            const active = { LoadState: 'loaded', ActiveState: 'active' };
            const crashing = aSystemd(
              {},
              {
                show: async (unit, properties): Promise<Record<string, string>> => {
                  if (!properties.includes('NRestarts')) return active;
                  return { NRestarts: unit === 'worker.service' ? String(worker++) : '0' };
                },
              },
            );
            const probe: AProbe = {
              name: 'w',
              timeoutMs: 99,
              look: { $case: 'unit', value: { unit: 'worker' } },
            };
            const failed = await check(host, [probe], { attempts: 1 }, { systemd: crashing });
            expect(reasonOf(failed).message).to.equal(
              'the health check worker.service did not turn green in one attempt; the last answer: ' +
                'worker.service was restarted while it had to stay up (1 restarts)',
            );
          },
        ),
      { systemdService: 'checkout.service' },
    ));

  it('does not take a silence of systemd for a restart', () =>
    withLive(
      (host) =>
        withService(
          (_, response) => void response.end(),
          async (url) => {
            const counts = ['', '3', '3', ''];
            const show = async (): Promise<Record<string, string>> => ({ NRestarts: counts.shift() ?? '' });
            for (const silent of ['before', 'after']) {
              const end = await check(
                host,
                [http(url)],
                { attempts: 1 },
                { systemd: aSystemd({}, { show }) },
              );
              expect(end.outcome, silent).to.equal(Outcome.SUCCEEDED);
            }
          },
        ),
      { systemdService: 'checkout.service' },
    ));

  it('on the way back marks what is not known to be good, and leaves a mark that says so', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end(),
        async (url) => {
          const back = { phase: Phase.UNDO };
          await check(host, [http(url)], {}, { ...back, now: () => new Date(1000) });
          await check(host, [http(url)], {}, { ...back, now: () => new Date(2000) });
          const mark = await readReleaseMark(host.target, COMMIT);
          expect(mark?.provenGoodAt).to.equal(new Date(1000).toISOString());
        },
      ),
    ));

  it('marks only the release it is about, and only a live one', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end(),
        async (url) => {
          await check(host, [http(url)], { commit: 'a'.repeat(40) });
          await check(host, [http(url)], { keepUnproven: true });
          expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).to.equal(null);
          await check(host, [http(url)], { commit: '' });
          expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).not.to.equal(null);
          await host.run({ $case: 'deactivate', value: { systemdService: '' } });
          expect((await check(host, [http(url)])).outcome).to.equal(Outcome.SUCCEEDED);
        },
      ),
    ));

  it('is left at once when the step is stopped', () =>
    withLive((host) =>
      withService(
        () => undefined,
        async (url) => {
          const stop = new AbortController();
          const run = check(host, [http(url)], {}, { signal: stop.signal });
          stop.abort(new Error('enough'));
          expect(await run.catch((error: unknown) => error)).to.be.instanceOf(Error);
        },
      ),
    ));
});

describe('the time that health takes', () => {
  const refused = async (): Promise<AProbe> => http(`http://127.0.0.1:${await aFreePort()}/`);

  it('grows from attempt to attempt where it backs off, up to its limit', () =>
    withLive(async (host) => {
      const clock = aClock();
      const pauses = { attempts: 5, delayMs: 100, backoffFactor: 2, maxDelayMs: 300 };
      await check(host, [await refused()], pauses, clock);
      expect(clock.slept).to.deep.equal([100, 200, 300, 300]);
      clock.slept.length = 0;
      await check(host, [await refused()], { attempts: 3, delayMs: 100, backoffFactor: 3 }, clock);
      expect(clock.slept).to.deep.equal([100, 100]);
    }));

  it('begins after a grace, in which nothing is asked', () =>
    withLive((host) => {
      const clock = aClock();
      const asked: number[] = [];
      return withService(
        (_, response) => {
          asked.push(clock.past());
          response.end();
        },
        async (url) => {
          await check(host, [http(url)], { startGraceMs: 20_000 }, clock);
          expect(asked).to.deep.equal([20_000]);
          expect(host.notes[0]).to.deep.equal({
            code: 'health_grace',
            message: 'waiting 20 s before the first look',
            facts: { start_grace_ms: '20000' },
          });
        },
      );
    }));

  it('is over at its deadline, with what was said last', () =>
    withLive(async (host) => {
      const clock = aClock();
      const times = { attempts: 100, delayMs: 3000, deadlineMs: 10_000, startGraceMs: 2000 };
      const probe = await refused();
      const end = await check(host, [probe], times, clock);
      expect(reasonOf(end).message).to.match(
        /did not turn green within 10 s \(3 attempts\); the last answer: connect ECONNREFUSED/,
      );
      expect(clock.past()).to.equal(8000);
      const late = await check(host, [probe], { ...times, startGraceMs: 60_000 }, clock);
      expect(reasonOf(late).message).to.include('within 10 s (one attempt)');
    }));

  it('is over at its deadline though it is healthy, when that is not long enough', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end(),
        async (url) => {
          const clock = aClock();
          const end = await check(
            host,
            [http(url)],
            { delayMs: 1000, stableForMs: 9000, deadlineMs: 3000 },
            clock,
          );
          expect(reasonOf(end).message).to.equal(
            `the health check ${url} did not turn green within 3 s (one attempt); the last answer: 200 (healthy, but not yet for 9 s)`,
          );
          expect(clock.past()).to.equal(3000);
        },
      ),
    ));
});

describe('health of several checks', () => {
  it('needs all of them at once, a command and a port beside the page', () =>
    withLive((host) =>
      listening(createTcp(), (port) =>
        withService(
          (_, response) => void response.end('ok'),
          async (url) => {
            const ready = join(host.folder, 'ready');
            const tcp: AProbe = {
              name: `tcp 127.0.0.1:${port}`,
              timeoutMs: 5000,
              look: { $case: 'tcp', value: { host: '127.0.0.1', port } },
            };
            const probes = [http(url), tcp, command('cat', ready)];
            const soon = async (): Promise<void> => writeFile(ready, 'queue is empty\n');
            const end = await check(host, probes, {}, { sleep: soon });
            expect(end).to.have.nested.property(
              'result.summary',
              `${url}: 200 ok; tcp 127.0.0.1:${port}: connected; command: queue is empty`,
            );
            expect(host.notes[0]?.message).to.match(
              /^attempt 1 of 3: .*; command: exited with 1: .*No such file/,
            );
            expect(host.notes[1]?.facts).to.deep.include({
              probe_1: `${url}: 200 ok`,
              probe_2: `tcp 127.0.0.1:${port}: connected`,
              probe_3: 'command: queue is empty',
            });
          },
        ),
      ),
    ));

  it('names every check that is not green', () =>
    withLive(async (host) => {
      const port = await aFreePort();
      const end = await check(host, [http(`http://127.0.0.1:${port}/`), command('false'), command('true')], {
        attempts: 1,
      });
      expect(reasonOf(end).message).to.equal(
        `the health checks http://127.0.0.1:${port}/, command did not turn green in one attempt; the last answer: ` +
          `http://127.0.0.1:${port}/: connect ECONNREFUSED 127.0.0.1:${port}; command: exited with 1; command: exited with 0`,
      );
    }));
});

describe('a command as a health check', () => {
  it('runs in the live release with its environment', () =>
    withLive(async (host) => {
      const target = { ...host.target, environmentFile: join(host.folder, 'env') };
      await writeFile(target.environmentFile, 'GREETING=hello\n');
      const script = join(host.target.appPath, 'releases', COMMIT, 'check');
      await writeFile(script, '#!/bin/sh\necho "$GREETING $MORE $FRAISIER_COMMIT $(pwd)"\n');
      await chmod(script, 0o755);
      const value = { argv: ['./check'], commit: COMMIT, environment: { MORE: 'world' } };
      const probe: AProbe = { name: 'check', timeoutMs: 5000, look: { $case: 'command', value } };
      const end = await check(host, [probe], {}, { target });
      expect(end).to.have.nested.property(
        'result.summary',
        `hello world ${COMMIT} ${join(host.target.appPath, 'releases', COMMIT)}`,
      );
      const shell = { shell: 'exit 3', commit: COMMIT };
      const failing: AProbe = { name: 'sh', timeoutMs: 5000, look: { $case: 'command', value: shell } };
      expect(reasonOf(await check(host, [failing], { attempts: 1 })).message).to.include('exited with 3');
    }));

  it('is a mistake when it is not there', () =>
    withLive(async (host) => {
      const shell: AProbe = {
        name: 'sh',
        timeoutMs: 5000,
        look: { $case: 'command', value: { shell: 'no-such-program --at-all', commit: COMMIT } },
      };
      for (const probe of [command('./no-such-program'), shell]) {
        const end = await check(host, [probe], { attempts: 100 });
        expect(reasonOf(end).code).to.equal('health_misconfigured');
        expect(reasonOf(end).hint).to.include('it runs in the live release');
      }
      expect(host.notes).to.have.length(2);
    }));

  it('is ended when it takes longer than one look may', () =>
    withLive(async (host) => {
      const slow: AProbe = { ...command('sleep', '60'), timeoutMs: 50 };
      const end = await check(host, [slow], { attempts: 1 });
      expect(reasonOf(end).message).to.include('the last answer: no end within 50 ms');
    }));

  it('is stopped with the step', () =>
    withLive(async (host) => {
      const stop = new AbortController();
      const pid = join(host.folder, 'pid');
      const value = { shell: `echo $$ > ${pid}; exec sleep 60`, commit: COMMIT };
      const probe: AProbe = { name: 'slow', timeoutMs: 60_000, look: { $case: 'command', value } };
      const run = check(host, [probe], {}, { signal: stop.signal }).catch((error: unknown) => error);
      await until('the command runs', async () => (await readFile(pid, 'utf8').catch(() => '')) !== '');
      stop.abort(new Error('enough'));
      expect(await run).to.have.property('message', 'enough');
    }));
});

describe('deactivate', () => {
  it('stops the unit and removes the link', () =>
    withLive(async (host) => {
      const systemd = aSystemd({});
      const end = await host.run({ $case: 'deactivate', value: { systemdService: 'checkout' } }, { systemd });
      expect(end).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { summary: 'nothing is live now' } });
      expect(systemd.asked).to.deep.equal(['stop checkout.service']);
      expect(await readlink(join(host.target.appPath, 'current')).catch(() => null)).to.equal(null);
      const again = await host.run({ $case: 'deactivate', value: { systemdService: '' } });
      expect(again).to.deep.equal({ outcome: Outcome.SUCCEEDED, result: { summary: 'nothing was live' } });
    }));

  it('stops the socket first, which would start the unit again', () =>
    withLive(async (host) => {
      const systemd = aSystemd({});
      const target = { ...host.target, systemdSocket: 'checkout.socket' };
      await host.run({ $case: 'deactivate', value: { systemdService: 'checkout' } }, { systemd, target });
      expect(systemd.asked).to.deep.equal(['stop checkout.socket', 'stop checkout.service']);
    }));

  it('leaves a link that somebody else made', () =>
    withLive(async (host) => {
      const current = join(host.target.appPath, 'current');
      await rm(current);
      await symlink('releases/20240131', current);
      const end = await host.run({ $case: 'deactivate', value: { systemdService: '' } });
      expect(end).to.deep.include({ result: { summary: 'nothing was live' } });
      expect(await readlink(current)).to.equal('releases/20240131');
    }));

  it('leaves the link while the unit cannot be stopped', () =>
    withLive(async (host) => {
      const action = { $case: 'deactivate', value: { systemdService: 'checkout' } } as const;
      expect(reasonOf(await host.run(action)).message).to.include('there is no systemd on this host');
      const systemd = aSystemd(
        {},
        { stop: async () => ({ ended: 'exited', exitCode: 5, output: 'Unit is masked.\n' }) },
      );
      expect(reasonOf(await host.run(action, { systemd })).message).to.equal(
        'stopping checkout.service exited with status 5: Unit is masked.',
      );
      expect(await readlink(join(host.target.appPath, 'current'))).to.equal(`releases/${COMMIT}`);
    }));

  it('says what the file system said no to', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      await writeFile(host.target.appPath, '');
      const end = await host.run({ $case: 'deactivate', value: { systemdService: '' } });
      expect(reasonOf(end).code).to.equal('activate_failed');
      expect(reasonOf(end).message).to.match(/^removing what the failed release brought: ENOTDIR/);
    }));
});
