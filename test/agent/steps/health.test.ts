import { mkdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import type { lookup } from 'node:dns';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcp, isIP } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { fieldOf, isVersion, judge } from '../../../agent/steps/judge-health.js';
import { guarded, isLinkLocal, probe } from '../../../agent/steps/probe.js';
import { readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { Health } from '../../../proto/gen/fraisier/v1/plan.js';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';
import { never, withFolder } from '../exec/a-spec.js';
import { aHost, aSystemd } from './a-step-context.js';
import type { TestHost } from './a-step-context.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

async function listening<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    await new Promise((done) => server.close(done));
  }
}

/** Answers by `answer`, and gives its URL. */
function withService<T>(answer: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(answer);
  return listening(server, async (port) => {
    try {
      return await use(`http://127.0.0.1:${port}/health`);
    } finally {
      server.closeAllConnections();
    }
  });
}

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

function check(host: TestHost, health: Partial<Health>, more: Partial<StepContext> = {}): Promise<StepEnd> {
  const value = Health.fromPartial({ attempts: 3, delayMs: 1, timeoutMs: 5000, commit: COMMIT, ...health });
  return host.run({ $case: 'health', value }, more);
}

const reasonOf = (end: StepEnd): ReturnType<typeof reason> =>
  end.outcome === Outcome.SUCCEEDED ? reason('internal', 'it succeeded') : end.reason;

describe('health', () => {
  it('succeeds on the wanted answer and marks the live release proven good', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end('{"ok": true}'),
        async (url) => {
          expect(await check(host, { url })).to.deep.equal({
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
          expect((await check(host, { url })).outcome).to.equal(Outcome.SUCCEEDED);
          const answers = host.notes.map(({ facts }) => facts['answer']);
          expect(answers).to.deep.equal(['503 try 1 (wanted 200)', '503 try 2 (wanted 200)', '200 try 3']);
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
            const end = await check(host, { url, attempts: 2 }, { systemd: aSystemd({}) });
            expect(reasonOf(end).code).to.equal('health_check_failed');
            expect(reasonOf(end).message).to.equal(
              `the health check ${url} did not turn green in 2 attempts; the last answer: 500 oh no ${'x'.repeat(194)} (wanted 200)`,
            );
            expect(reasonOf(end).hint).to.equal('on the host: journalctl -u checkout.service');
            expect(reasonOf(end).facts).to.include({ check: url, attempts: '2' });
            expect(host.log.join('\n')).to.include('last words of checkout.service');
            const silent = aSystemd({}, { show: async () => ({}), journalTail: async () => '' });
            expect((await check(host, { url, attempts: 1 }, { systemd: silent })).outcome).to.equal(
              Outcome.FAILED,
            );
            expect((await check(host, { url, attempts: 1 })).outcome).to.equal(Outcome.FAILED);
            expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).to.equal(null);
          },
        ),
      { systemdService: 'checkout' },
    ));

  it('tells a refused connection', () =>
    withLive(async (host) => {
      const port = await listening(createTcp(), async (free) => free);
      const end = await check(host, { url: `http://127.0.0.1:${port}/`, attempts: 0 });
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
          const end = await check(host, {
            url,
            attempts: 1,
            versionField: 'build.commit',
            expectVersion: COMMIT,
          });
          expect(reasonOf(end).code).to.equal('wrong_version');
          expect(reasonOf(end).message).to.include(`it serves version 0ld0ld0, not ${COMMIT}`);
          expect(reasonOf(end).facts).to.include({ served_version: '0ld0ld0' });
        },
      ),
    ));

  it('must stay healthy for a while', () =>
    withLive((host) => {
      let asked = 0;
      let time = 0;
      const clock = { now: () => new Date(time), sleep: async (ms: number) => void (time += ms) };
      return withService(
        (_, response) => {
          response.statusCode = ++asked === 3 ? 500 : 200;
          response.end();
        },
        async (url) => {
          expect((await check(host, { url, stableForMs: 150, delayMs: 60 }, clock)).outcome).to.equal(
            Outcome.SUCCEEDED,
          );
          const answers = host.notes.map(({ facts }) => facts['answer']);
          expect(answers).to.deep.equal([
            '500 (wanted 200) (it was healthy first, but did not stay so)',
            '200',
          ]);
          expect([asked, time]).to.deep.equal([7, 120 + 60 + 150]);
        },
      );
    }));

  it('does not count a service whose unit was restarted meanwhile', () =>
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
            expect((await check(host, { url, attempts: 5 }, { systemd })).outcome).to.equal(
              Outcome.SUCCEEDED,
            );
            expect(host.notes[0]?.facts['answer']).to.equal(
              'its unit was restarted while it had to stay up (1 restarts)',
            );
          },
        ),
      { systemdService: 'checkout.service' },
    ));

  it('marks only the release it is about, and only a live one', () =>
    withLive((host) =>
      withService(
        (_, response) => void response.end(),
        async (url) => {
          await check(host, { url, commit: 'a'.repeat(40) });
          expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).to.equal(null);
          await check(host, { url, commit: '' });
          expect((await readReleaseMark(host.target, COMMIT))?.provenGoodAt).not.to.equal(null);
          await host.run({ $case: 'deactivate', value: { systemdService: '' } });
          expect((await check(host, { url })).outcome).to.equal(Outcome.SUCCEEDED);
        },
      ),
    ));

  it('is left at once when the step is stopped', () =>
    withLive((host) =>
      withService(
        () => undefined,
        async (url) => {
          const stop = new AbortController();
          const run = check(host, { url, timeoutMs: 60_000 }, { signal: stop.signal });
          setTimeout(() => stop.abort(new Error('enough')), 20);
          expect(await run.catch((error: unknown) => error)).to.be.instanceOf(Error);
        },
      ),
    ));
});

describe('one look at a service', () => {
  const why = async (url: string, timeoutMs = 5000): Promise<string> => {
    const answer = await probe(url, timeoutMs, never());
    return answer.got === 'nothing' ? answer.why : answer.got;
  };

  it('ends in time when nothing answers, or only half of an answer comes', async () => {
    await withService(
      () => undefined,
      async (url) => expect(await why(url, 50)).to.equal('no answer within 50 ms'),
    );
    const half: RequestListener = (_, response) => void response.write('half');
    await withService(half, async (url) => expect(await why(url, 50)).to.equal('no answer within 50 ms'));
  });

  it('follows no redirect and reads no endless body', () =>
    withService(
      (request, response) => {
        if (request.url === '/health') response.writeHead(302, { location: '/elsewhere' }).end();
        else {
          const write = (): void => void (response.destroyed || response.write('x'.repeat(65_536), write));
          write();
        }
      },
      async (url) => {
        expect(await probe(url, 5000, never())).to.deep.equal({ got: 'response', status: 302, body: '' });
        const endless = await probe(url.replace('/health', '/'), 5000, never());
        expect(endless)
          .to.have.property('body')
          .that.has.length(256 * 1024);
      },
    ));

  it('only connects to tcp://', async () => {
    await listening(
      createTcp((socket) => void socket.on('error', () => undefined)),
      async (port) => {
        expect(await why(`tcp://127.0.0.1:${port}`)).to.equal('connection');
        expect(await why(`tcp://localhost:${port}`)).to.equal('connection');
      },
    );
    const free = await listening(createTcp(), async (port) => port);
    expect(await why(`tcp://127.0.0.1:${free}`)).to.equal(`connect ECONNREFUSED 127.0.0.1:${free}`);
    expect(await why(`tcp://localhost:${free}`)).to.include('ECONNREFUSED');
  });

  it('says what is no address, what it does not know, and what has no name', async () => {
    expect(await why('health')).to.equal('"health" is not an address');
    expect(await why('ftp://127.0.0.1/')).to.equal('health checks know http, https and tcp, not ftp:');
    expect(await why('http://no-such-host.invalid/')).to.match(/ENOTFOUND|EAI_AGAIN/);
    const free = await listening(createTcp(), async (port) => port);
    expect(await why(`https://127.0.0.1:${free}/`)).to.include('ECONNREFUSED');
  });

  it('never asks a link-local address, where clouds keep credentials', async () => {
    expect(await why('http://169.254.169.254/latest/meta-data/')).to.equal(
      '169.254.169.254 is a link-local address',
    );
    expect(await why('http://[fe80::1]/')).to.equal('fe80::1 is a link-local address');
    expect(isLinkLocal('fd00:ec2::254')).to.equal(true);
    expect(isLinkLocal('::ffff:169.254.169.254')).to.equal(true);
    expect(isLinkLocal('127.0.0.1')).to.equal(false);
    expect(isLinkLocal('example.com')).to.equal(false);
  });
});

describe('a name', () => {
  const resolving = (error: Error | null, ...addresses: string[]): ReturnType<typeof guarded> =>
    guarded(((_name: string, _options: object, done: (error: Error | null, found?: object[]) => void) =>
      error === null
        ? done(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          )
        : done(error)) as typeof lookup);
  const asked = (look: ReturnType<typeof guarded>, all: boolean): Promise<unknown[]> =>
    new Promise((done) => look('example.com', { all }, (...answer) => done(answer)));

  it('is judged by what it resolves to, at the moment of connecting', async () => {
    const two = resolving(null, '169.254.169.254', '10.0.0.1');
    expect(await asked(two, true)).to.deep.equal([null, [{ address: '10.0.0.1', family: 4 }]]);
    expect(await asked(two, false)).to.deep.equal([null, '10.0.0.1', 4]);
    const [error] = await asked(resolving(null, '169.254.169.254'), true);
    expect(error).to.have.property('message', 'example.com is a link-local address');
    const local = (all: boolean): Promise<unknown[]> =>
      new Promise((done) => two('localhost', { all }, (...answer) => done(answer)));
    expect(await local(false)).to.deep.equal([null, '127.0.0.1', 4]);
    expect(await local(true)).to.have.nested.property('1[1].address', '::1');
    const unknown = new Error('ENOTFOUND');
    expect((await asked(resolving(unknown), true))[0]).to.equal(unknown);
  });
});

describe('what an answer means', () => {
  const wanted = { expectStatus: 0, versionField: '', expectVersion: '' };

  it('is 200 unless another status is wanted', () => {
    expect(judge({ got: 'response', status: 200, body: '' }, wanted)).to.include({
      healthy: true,
      answer: '200',
    });
    expect(judge({ got: 'response', status: 204, body: '' }, { ...wanted, expectStatus: 204 })).to.include({
      healthy: true,
    });
    expect(judge({ got: 'response', status: 200, body: '' }, { ...wanted, expectStatus: 204 })).to.include({
      answer: '200 (wanted 204)',
    });
  });

  it('is good for a connection that was made, bad for none', () => {
    expect(judge({ got: 'connection' }, wanted)).to.include({ healthy: true, answer: 'connected' });
    expect(judge({ got: 'nothing', why: 'refused' }, wanted)).to.include({
      healthy: false,
      answer: 'refused',
    });
  });

  it('needs the version field where one is named', () => {
    const version = { ...wanted, versionField: 'commit' };
    expect(judge({ got: 'response', status: 200, body: 'ok' }, version)).to.include({
      healthy: false,
      code: 'health_check_failed',
      answer: '200 ok (it has no field "commit")',
    });
    expect(judge({ got: 'response', status: 200, body: '{"commit": "x"}' }, version)).to.include({
      healthy: true,
      servedVersion: 'x',
    });
  });

  it('takes the beginning of a version from seven characters on', () => {
    expect(isVersion(COMMIT, COMMIT)).to.equal(true);
    expect(isVersion(COMMIT.slice(0, 7), COMMIT)).to.equal(true);
    expect(isVersion(COMMIT.slice(0, 6), COMMIT)).to.equal(false);
    expect(isVersion('', COMMIT)).to.equal(false);
    expect(isVersion(`${COMMIT}0`, COMMIT)).to.equal(false);
    expect(isVersion('v1', 'v1')).to.equal(true);
  });

  it('finds a field by a dotted path, and nothing that is not there', () => {
    expect(fieldOf('{"a": {"b": 1}}', 'a.b')).to.equal('1');
    for (const [body, path] of [
      ['{"a": {"b": {}}}', 'a.b'],
      ['{"a": 1}', 'a.b'],
      ['{}', 'toString'],
      ['no', 'a'],
      ['null', 'a'],
    ]) {
      expect(fieldOf(body ?? '', path ?? '')).to.equal(null);
    }
  });
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
      expect(reasonOf(end).message).to.match(/^removing the link to the failed release: ENOTDIR/);
    }));
});
