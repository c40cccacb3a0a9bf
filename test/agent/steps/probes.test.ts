import { writeFile } from 'node:fs/promises';
import type { lookup } from 'node:dns';
import type { RequestListener } from 'node:http';
import { createServer as createTcp, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { guarded, mustAllow, notLinkLocal, onlyThisHost } from '../../../agent/steps/guarded-lookup.js';
import { anyVersion, lookOnceAt } from '../../../agent/steps/look.js';
import type { Look, LookPorts } from '../../../agent/steps/look.js';
import { verdictOf, within } from '../../../agent/steps/probe-within.js';
import { Health } from '../../../proto/gen/fraisier/v1/plan.js';
import type { HealthProbe, HttpProbe, Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { never, withFolder } from '../exec/a-spec.js';
import { aCertificate, aFreePort, listening, withSecureService, withService } from './a-service.js';
import { aSystemd, aTarget } from './a-step-context.js';

type AProbe = Parameters<typeof HealthProbe.fromPartial>[0];

interface Given extends Partial<Omit<LookPorts, 'target'>> {
  readonly target?: Partial<Target>;
}

function look(probes: readonly AProbe[], { target, ...ports }: Given = {}, mostMs?: number): Promise<Look> {
  const health = Health.fromPartial({ probes: probes.map((one) => ({ timeoutMs: 5000, ...one })) });
  const given = {
    systemd: null,
    signal: never(),
    command: null,
    ...ports,
    target: aTarget('/nowhere', target),
  };
  return mostMs === undefined ? lookOnceAt(health, given) : lookOnceAt(health, given, mostMs);
}

const http = (value: Partial<HttpProbe>): AProbe => ({ look: { $case: 'http', value } });
const tcp = (host: string, port: number): AProbe => ({ look: { $case: 'tcp', value: { host, port } } });
const unit = (name: string): AProbe => ({ look: { $case: 'unit', value: { unit: name } } });
const command = (name: string): AProbe => ({ name, look: { $case: 'command', value: { argv: [name] } } });

const answerOf = async (...given: Parameters<typeof look>): Promise<string> => (await look(...given)).answer;

describe('a look at an address', () => {
  it('ends in time when nothing answers, or only half of an answer comes', async () => {
    await withService(
      () => undefined,
      async (url) => {
        expect(await answerOf([{ ...http({ url }), timeoutMs: 50 }])).to.equal('no answer within 50 ms');
        expect(await answerOf([http({ url })], {}, 40)).to.equal('no answer within 40 ms');
      },
    );
    const half: RequestListener = (_, response) => void response.write('half');
    await withService(half, async (url) =>
      expect(await answerOf([{ ...http({ url }), timeoutMs: 50 }])).to.equal('no answer within 50 ms'),
    );
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
        expect(await look([http({ url, expectStatuses: [302] })])).to.include({
          healthy: true,
          answer: '302',
        });
        const endless = await look([http({ url: url.replace('/health', '/') })]);
        expect(endless).to.include({ healthy: true, answer: `200 ${'x'.repeat(200)}` });
      },
    ));

  it('asks again for a refused connection, and not for what is no address', async () => {
    const free = await aFreePort();
    expect(await look([http({ url: `http://127.0.0.1:${free}/` })])).to.include({
      healthy: false,
      code: 'health_check_failed',
      answer: `connect ECONNREFUSED 127.0.0.1:${free}`,
    });
    for (const url of ['health', 'ftp://127.0.0.1/']) {
      expect(await look([http({ url })])).to.include({
        code: 'health_misconfigured',
        answer: `"${url}" is not an address of http or https`,
        mend: 'correct health_check.url',
      });
    }
  });

  it('never asks a link-local address, where clouds keep credentials', async () => {
    for (const [url, host] of [
      ['http://169.254.169.254/latest/meta-data/', '169.254.169.254'],
      ['http://[fe80::1]/', 'fe80::1'],
      ['http://[::ffff:169.254.169.254]/', '::ffff:a9fe:a9fe'],
    ] as const) {
      expect(await look([http({ url })])).to.include({
        code: 'health_misconfigured',
        answer: `${host} is a link-local address`,
      });
    }
    expect(await answerOf([tcp('fd00:ec2::254', 80)])).to.equal('fd00:ec2::254 is a link-local address');
    expect(() => mustAllow(notLinkLocal, '127.0.0.1')).not.to.throw();
  });

  it('is left at once when the look is stopped', () =>
    withService(
      () => undefined,
      async (url) => {
        const stop = new AbortController();
        const looking = look([http({ url })], { signal: stop.signal }).catch((error: unknown) => error);
        stop.abort(new Error('enough'));
        expect(await looking).to.have.property('message', 'enough');
        const late = look([http({ url })], { signal: stop.signal }).catch((error: unknown) => error);
        expect(await late).to.have.property('message', 'enough');
      },
    ));
});

describe('a look over TLS', () => {
  const ok: RequestListener = (_, response) => void response.end('ok');

  it('trusts the authority that is named, and nothing that is not to be trusted', () =>
    withFolder(async (folder) => {
      const made = await aCertificate(['127.0.0.1']);
      const tlsCaFile = join(folder, 'ca.pem');
      await writeFile(tlsCaFile, made.ca);
      await withSecureService(made, ok, async (url) => {
        expect(await look([http({ url, tlsCaFile })])).to.include({ healthy: true, answer: '200 ok' });
        expect(await look([http({ url, tlsInsecure: true })])).to.include({ healthy: true });
        const untrusted = await look([http({ url })]);
        expect(untrusted.code).to.equal('health_misconfigured');
        expect(untrusted.answer).to.match(/^its certificate is not trusted: unable to/);
        expect(untrusted.mend).to.include('health_check.tls.ca_file');
        const missing = await look([http({ url, tlsCaFile: join(folder, 'none.pem') })]);
        expect(missing.answer).to.match(/^the authorities to trust cannot be read: ENOENT/);
        expect(missing).to.include({
          code: 'health_misconfigured',
          mend: `on the host: ls -l ${join(folder, 'none.pem')}`,
        });
      });
    }));

  it('takes the name in the certificate where it is not that of the address', () =>
    withFolder(async (folder) => {
      const made = await aCertificate(['shop.example.com']);
      const tlsCaFile = join(folder, 'ca.pem');
      await writeFile(tlsCaFile, made.ca);
      await withSecureService(made, ok, async (url) => {
        const named = http({ url, tlsCaFile, tlsServerName: 'shop.example.com' });
        expect(await look([named])).to.include({ healthy: true });
        const other = await look([http({ url, tlsCaFile })]);
        expect(other.code).to.equal('health_misconfigured');
        expect(other.mend).to.include('health_check.tls.server_name');
      });
    }));

  it('says that a certificate has expired', () =>
    withFolder(async (folder) => {
      const good = await aCertificate(['127.0.0.1']);
      const old = await aCertificate(['127.0.0.1'], new Date('2020-01-01T00:00:00Z'));
      const tlsCaFile = join(folder, 'ca.pem');
      await writeFile(tlsCaFile, `${good.ca}\n${old.ca}`);
      await withSecureService(old, ok, async (url) => {
        expect(await look([http({ url, tlsCaFile })])).to.include({
          code: 'health_misconfigured',
          answer: 'its certificate is not trusted: certificate has expired',
          mend: 'renew the certificate',
        });
      });
    }));
});

describe('headers of a look', () => {
  const tells: RequestListener = (request, response) =>
    void response.end(
      `${String(request.headers['x-who'] ?? 'nobody')} ${request.headers.authorization ?? ''}`,
    );

  it('are sent as they are written where nothing is to be filled in', () =>
    withService(tells, async (url) => {
      expect(await answerOf([http({ url, headers: { 'X-Who': 'me' } })])).to.equal('200 me');
      expect(await answerOf([http({ url })])).to.equal('200 nobody');
    }));

  it('are filled in from the environment file of the host, and shown to nobody', () =>
    withFolder(async (folder) => {
      const environmentFile = join(folder, 'env');
      await writeFile(environmentFile, 'TOKEN=hunter2-hunter2\nWHO=me\nEMPTY=\n');
      await withService(tells, async (url) => {
        const headers = {
          'X-Who': '${WHO}/${NONE:-nobody}/${EMPTY:-empty}',
          Authorization: 'Bearer ${TOKEN}',
        };
        expect(await look([http({ url, headers })], { target: { environmentFile } })).to.include({
          healthy: true,
          answer: '200 me/nobody/empty Bearer ***',
        });
      });
    }));

  it('are a mistake where nothing can fill them in', () =>
    withFolder(async (folder) => {
      const environmentFile = join(folder, 'env');
      const asked = http({ url: 'http://127.0.0.1:1/', headers: { 'X-Who': '${WHO}' } });
      expect(await look([asked])).to.include({
        code: 'health_misconfigured',
        answer: 'its headers cannot be filled in: there is no environment_file',
      });
      const unreadable = await look([asked], { target: { environmentFile } });
      expect(unreadable).to.include({
        answer: `its headers cannot be filled in: the environment_file ${environmentFile} cannot be read`,
        mend: `on the host: ls -l ${environmentFile}`,
      });
      await writeFile(environmentFile, 'toString=x');
      expect(await look([asked], { target: { environmentFile } })).to.include({
        answer: `its header X-Who cannot be filled in: ${environmentFile} does not set WHO`,
        mend: `on the host, add WHO=… to ${environmentFile}`,
      });
    }));

  it('with what is private to the host go to no other host', () =>
    withFolder(async (folder) => {
      const environmentFile = join(folder, 'env');
      await writeFile(environmentFile, 'TOKEN=hunter2-hunter2\n');
      const asked = http({ url: 'http://192.0.2.1/', headers: { Authorization: '${TOKEN}' } });
      const refused = await look([asked], { target: { environmentFile } });
      expect(refused.code).to.equal('health_misconfigured');
      expect(refused.answer).to.equal(
        '192.0.2.1 is not this host, and headers with ${…} are sent to no other',
      );
      expect(refused.mend).to.include('127.0.0.1');
    }));
});

describe('the address of a host', () => {
  const resolving = (error: Error | null, ...addresses: string[]): typeof lookup =>
    ((_name: string, _options: object, done: (error: Error | null, found?: object[]) => void) =>
      error === null
        ? done(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          )
        : done(error)) as typeof lookup;
  const asked = (name: string, look: ReturnType<typeof guarded>, all: boolean): Promise<unknown[]> =>
    new Promise((done) => look(name, { all }, (...answer: unknown[]) => done(answer)));

  it('is judged by what its name resolves to, at the moment of connecting', async () => {
    const two = guarded(notLinkLocal, resolving(null, '169.254.169.254', '10.0.0.1'));
    expect(await asked('example.com', two, true)).to.deep.equal([null, [{ address: '10.0.0.1', family: 4 }]]);
    expect(await asked('example.com', two, false)).to.deep.equal([null, '10.0.0.1', 4]);
    const metadata = guarded(notLinkLocal, resolving(null, '169.254.169.254'));
    const [error] = await asked('example.com', metadata, true);
    expect(error).to.be.instanceOf(FraisierError);
    expect(error).to.have.property('message', 'example.com is a link-local address');
    const [nothing] = await asked('example.com', guarded(notLinkLocal, resolving(null)), true);
    expect(nothing).to.have.property('message', 'example.com has no address');
    expect(await asked('localhost', two, false)).to.deep.equal([null, '127.0.0.1', 4]);
    expect((await asked('localhost', two, true))[1]).to.have.nested.property('[1].address', '::1');
    const unknown = new Error('ENOTFOUND');
    expect((await asked('example.com', guarded(notLinkLocal, resolving(unknown)), true))[0]).to.equal(
      unknown,
    );
  });

  it('is this host for its loopback and its own addresses', () => {
    const own = Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map((one) => one.address));
    for (const address of [
      '127.0.0.1',
      '127.8.8.8',
      '::1',
      ...own.filter((one) => notLinkLocal(one) === ''),
    ]) {
      expect(onlyThisHost(address), address).to.equal('');
    }
    expect(onlyThisHost('192.0.2.1')).to.include('is not this host');
    expect(onlyThisHost('169.254.169.254')).to.equal('is a link-local address');
  });
});

describe('what keeps a look from an answer', () => {
  const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

  it('is a mistake for a name that nobody knows and a certificate that does not hold', () => {
    expect(verdictOf(coded('getaddrinfo ENOTFOUND db', 'ENOTFOUND'))).to.include({
      code: 'health_misconfigured',
      answer: 'getaddrinfo ENOTFOUND db: this host knows no such name',
    });
    for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_NOT_YET_VALID']) {
      expect(verdictOf(coded('x', code)).code).to.equal('health_misconfigured');
    }
  });

  it('may be over the next time for anything else', () => {
    expect(verdictOf(coded('getaddrinfo EAI_AGAIN db', 'EAI_AGAIN'))).to.include({
      healthy: false,
      code: 'health_check_failed',
    });
    expect(verdictOf(new Error('socket hang up')).answer).to.equal('socket hang up');
    const several = new AggregateError([coded('connect ECONNREFUSED ::1:1', 'ECONNREFUSED')]);
    expect(verdictOf(several).answer).to.equal('connect ECONNREFUSED ::1:1');
  });

  it('is its time limit, whether the look minds it or not', async () => {
    const deaf = within(() => new Promise(() => undefined), 20, never());
    expect((await deaf).answer).to.equal('no answer within 20 ms');
    const none = within(() => new Promise(() => undefined), 0, never());
    expect((await none).answer).to.equal('no answer within 0 ms');
  });
});

describe('a look at a port', () => {
  it('only connects', async () => {
    await listening(
      createTcp((socket) => void socket.on('error', () => undefined)),
      async (port) => {
        expect(await look([tcp('127.0.0.1', port)])).to.include({ healthy: true, answer: 'connected' });
        expect(await look([tcp('localhost', port)])).to.include({ healthy: true });
      },
    );
    const free = await aFreePort();
    expect(await answerOf([tcp('127.0.0.1', free)])).to.equal(`connect ECONNREFUSED 127.0.0.1:${free}`);
    expect(await answerOf([tcp('localhost', free)])).to.include('ECONNREFUSED');
  });
});

describe('a look at systemd', () => {
  const loaded = { LoadState: 'loaded', ActiveState: 'active', SubState: 'running', Result: 'success' };

  it('wants the unit active', async () => {
    const systemd = aSystemd({
      'a.service': loaded,
      'b.service': { ...loaded, ActiveState: 'failed', SubState: 'failed', Result: 'exit-code' },
      'c.service': { LoadState: 'loaded', ActiveState: 'activating', SubState: 'auto-restart' },
    });
    expect(await look([unit('a')], { systemd })).to.include({ healthy: true, answer: 'a.service is active' });
    expect(await look([unit('b')], { systemd })).to.include({
      code: 'health_check_failed',
      answer: 'b.service is failed, exit-code',
    });
    expect(await answerOf([unit('c.service')], { systemd })).to.equal(
      'c.service is activating, auto-restart',
    );
  });

  it('calls it a mistake when there is no such unit, or no systemd', async () => {
    const systemd = aSystemd({ 'm.service': { LoadState: 'masked' } });
    expect(await look([unit('x')], { systemd })).to.include({
      code: 'health_misconfigured',
      answer: 'there is no unit x.service',
      mend: 'correct the name of the unit, or see on the host: systemctl status x.service',
    });
    expect(await answerOf([unit('m')], { systemd })).to.equal('systemd says that m.service is masked');
    const timers: AProbe = { look: { $case: 'timers', value: {} } };
    for (const probe of [unit('x'), timers]) {
      expect(await look([probe])).to.include({
        code: 'health_misconfigured',
        answer: 'there is no systemd on this host',
      });
    }
    const silent = aSystemd({}, { show: async () => ({}) });
    expect(await look([unit('x')], { systemd: silent })).to.include({
      code: 'health_check_failed',
      answer: 'systemd did not say what x.service is',
    });
  });

  describe('for the timers of a scheduled fraise', () => {
    const timers: AProbe = { look: { $case: 'timers', value: {} } };
    const job = (name: string): object => ({ name, timer: `${name}.timer`, service: `${name}.service` });
    const target = { jobs: [job('day'), job('night')] } as Partial<Target>;
    const timer = { ...loaded, SubState: 'waiting' };
    const ended = { LoadState: 'loaded', Result: 'success' };
    const good = {
      'day.timer': timer,
      'day.service': ended,
      'night.timer': timer,
      'night.service': ended,
    };
    const told = async (units: Record<string, Record<string, string>>): Promise<Look> =>
      look([timers], { systemd: aSystemd({ ...good, ...units }), target });

    it('wants each active, and the last result of what it starts good', async () => {
      expect(await told({})).to.include({
        healthy: true,
        answer:
          'day.timer is active, day.service ended well; night.timer is active, night.service ended well',
      });
      expect(
        await told({ 'night.timer': { LoadState: 'loaded', ActiveState: 'inactive', SubState: 'dead' } }),
      ).to.include({
        healthy: false,
        code: 'health_check_failed',
        answer: 'night.timer is inactive, dead',
      });
      expect(await told({ 'day.service': { ...ended, Result: 'exit-code' } })).to.include({
        answer: 'day.service ended with exit-code the last time',
      });
      expect(await told({ 'day.service': { LoadState: 'loaded' } })).to.include({
        answer: 'day.service ended with no result the last time',
      });
    });

    it('calls it a mistake when one is not there, or there is none', async () => {
      const none = await told({
        'day.timer': { ...timer, ActiveState: 'inactive' },
        'night.service': { LoadState: 'not-found' },
      });
      expect(none).to.include({
        code: 'health_misconfigured',
        answer: 'day.timer is inactive, waiting; there is no unit night.service',
      });
      expect(await look([timers], { systemd: aSystemd({}) })).to.include({
        code: 'health_misconfigured',
        answer: 'it has no jobs',
      });
    });
  });
});

describe('several looks together', () => {
  it('are healthy when all are, and name each answer', () =>
    withService(
      (_, response) => void response.end('{"commit": "abc"}'),
      async (url) => {
        const given: Given = {
          command: async ({ argv }) => ({
            ended: 'exited',
            exitCode: argv[0] === 'good' ? 0 : 1,
            output: 'said',
          }),
        };
        const page = { name: 'page', ...http({ url, versionField: 'commit' }) };
        expect(await look([page, command('good')], given)).to.deep.include({
          healthy: true,
          asked: true,
          answer: 'page: 200 {"commit": "abc"}; good: said',
          servedVersion: 'abc',
          failing: [],
        });
        expect(await look([page, command('bad')], given)).to.deep.include({
          healthy: false,
          failing: ['bad'],
          answers: [
            { name: 'page', answer: '200 {"commit": "abc"}' },
            { name: 'bad', answer: 'exited with 1: said' },
          ],
        });
        const other = http({ url, versionField: 'commit', expectVersion: 'other' });
        const wrong = { name: 'other', ...other };
        expect((await look([command('bad'), wrong], given)).code).to.equal('wrong_version');
        const mistake = { name: 'mistake', ...http({ url: 'x' }) };
        expect((await look([wrong, command('bad'), mistake], given)).code).to.equal('health_misconfigured');
        const health = Health.fromPartial({ probes: [other, unit('x')] });
        expect(anyVersion(health).probes[0]?.look).to.have.nested.property('value.expectVersion', '');
        expect(anyVersion(health).probes[1]).to.deep.equal(health.probes[1]);
      },
    ));

  it('are asked at the same moment, commands one after the other, at most eight at once', async () => {
    let asking = 0;
    let most = 0;
    const commands: number[] = [];
    let running = 0;
    const open: RequestListener = (_, response) => {
      most = Math.max(most, ++asking);
      setTimeout(() => {
        asking--;
        response.end();
      }, 30);
    };
    await withService(open, async (url) => {
      const given: Given = {
        command: async () => {
          commands.push(++running);
          await new Promise((done) => setTimeout(done, 5));
          running--;
          return { ended: 'exited', exitCode: 0, output: '' };
        },
      };
      const probes = [
        ...Array.from({ length: 12 }, () => http({ url })),
        command('a'),
        command('b'),
        command('c'),
      ];
      expect((await look(probes, given)).healthy).to.equal(true);
    });
    expect(commands).to.deep.equal([1, 1, 1]);
    expect(most).to.be.within(2, 8);
  });

  it('leave out commands where none may be run, and what an older agent does not know', async () => {
    expect(await look([command('x')])).to.deep.include({ healthy: true, asked: false, answer: 'not asked' });
    expect(await look([{ name: 'new' }])).to.include({
      code: 'health_misconfigured',
      mend: 'upgrade the agent',
    });
    expect(await look([])).to.deep.include({
      code: 'health_misconfigured',
      answer: 'there is nothing to ask',
    });
  });

  it('do not judge the end of a command that was stopped with the step', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));
    const given: Given = {
      signal: stop.signal,
      command: async () => ({ ended: 'exited', exitCode: 1, output: '' }),
    };
    const error = await look([command('x')], given).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'enough');
  });
});
