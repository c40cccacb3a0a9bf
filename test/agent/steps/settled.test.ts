import { expect } from 'chai';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { writeInstalled } from '../../../agent/steps/installed-units.js';
import { releaseFolder, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import type { Systemd } from '../../../agent/steps/step.js';
import { Health, Job, type Preflight } from '../../../proto/gen/fraisier/v1/plan.js';
import { aHost, aPolicy, aSystemd, type TestHost } from './a-step-context.js';

const COMMIT = 'a'.repeat(40);
const ACTIVATED = '2026-01-02T03:04:05.678Z';
const UNIT = {
  LoadState: 'loaded',
  ActiveState: 'active',
  ActiveEnterTimestamp: 'Fri 2026-01-02 03:04:06 UTC',
};
const JOBS = [Job.fromPartial({ name: 'daily', service: 'daily.service', timer: 'daily.timer' })];
const TIMED = {
  'daily.timer': { LoadState: 'loaded', ActiveState: 'active' },
  'daily.service': { LoadState: 'loaded', Result: 'success' },
};

describe('whether there is anything to do', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-settled-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('there is not when the commit is live, was proven good, and is healthy at once', async () => {
    const host = await live();
    expect(await settled(host)).to.equal(true);
    await serving(200, async (url) => expect(await settled(host, { health: asking(url) })).to.equal(true));
    expect(host.log.at(-1)).to.match(/^health: 200/);
  });

  it('is not even looked at unless it is asked', async () => {
    expect(await settled(await live(), { settle: false })).to.equal(undefined);
  });

  it('there is when another commit is live, none is, or this one was never proven good', async () => {
    expect(await settled(await live(), {}, 'b'.repeat(40))).to.equal(false);
    expect(await settled(await aHost(join(folder, 'new')))).to.equal(false);
    expect(await settled(await live({ provenGoodAt: null }))).to.equal(false);
  });

  it('there is when its health check is not green at the first look', async () => {
    const host = await live();
    await serving(500, async (url) => expect(await settled(host, { health: asking(url) })).to.equal(false));
  });

  it('says that what is live is unhealthy, whatever its version, where it is asked and not settled', async () => {
    const unhealthy = async (host: TestHost, spec: Partial<Preflight>) => {
      const value = { minFreeBytes: 1, settle: false, look: true, ...spec };
      const end = await host.run({ $case: 'preflight', value }, { commit: 'b'.repeat(40) });
      expect('reason' in end ? end.reason?.message : '').to.equal('');
      return 'result' in end ? end.result?.unhealthy : undefined;
    };
    const host = await live();
    const nothing = await aHost(join(folder, 'empty'));
    await serving(500, async (url) => {
      expect(await unhealthy(host, { health: asking(url) })).to.equal(true);
      expect(await unhealthy(host, { health: asking(url), look: false }), 'nobody asks').to.equal(undefined);
      expect(await unhealthy(nothing, { health: asking(url) }), 'nothing is live').to.equal(false);
    });
    await serving(200, async (url) => {
      expect(await unhealthy(host, { health: asking(url) })).to.equal(false);
      expect(await unhealthy(host, { health: asking(url), settle: true })).to.equal(false);
    });
    expect(await unhealthy(host, {}), 'there is nothing to ask').to.equal(false);
    expect(await unhealthy(host, { health: Health.fromPartial({}) })).to.equal(false);
    const command = {
      name: 'c',
      timeoutMs: 5000,
      look: { $case: 'command' as const, value: { argv: ['false'] } },
    };
    expect(await unhealthy(host, { health: Health.fromPartial({ probes: [command] }) })).to.equal(false);
  });

  it('there is when its unit is off, was started before the code changed, or its file changed since', async () => {
    const cases: [Record<string, string>, boolean][] = [
      [UNIT, true],
      [{ ...UNIT, ActiveState: 'failed' }, false],
      [{ ...UNIT, ActiveEnterTimestamp: 'Thu 2026-01-01 00:00:00 UTC' }, false],
      [{ ...UNIT, NeedDaemonReload: 'yes' }, false],
    ];
    for (const [unit, wanted] of cases) {
      const host = await live({}, { systemdService: 'checkout' }, aSystemd({ 'checkout.service': unit }));
      expect(await settled(host), JSON.stringify(unit)).to.equal(wanted);
    }
  });

  it('there is when a timer is off, or the jobs are other ones now', async () => {
    const timed = await live({}, { jobs: JOBS }, aSystemd(TIMED));
    expect(await settled(timed)).to.equal(true);
    const off = { ...TIMED, 'daily.timer': { LoadState: 'loaded', ActiveState: 'inactive' } };
    expect(await settled(await live({}, { jobs: JOBS }, aSystemd(off)))).to.equal(false);
    await writeInstalled(timed.stateFolder, timed.target, { commit: COMMIT, jobs: [], files: [] });
    expect(await settled(timed)).to.equal(false);
  });

  let hosts = 0;

  async function live(
    mark: { readonly provenGoodAt?: null } = {},
    target: Partial<TestHost['target']> = {},
    systemd: Systemd | null = null,
  ): Promise<TestHost> {
    const home = join(folder, `host-${(hosts += 1)}`);
    const units = ['checkout.service', 'daily.service', 'daily.timer'];
    const host = await aHost(home, target, {
      systemd,
      policy: aPolicy(home, { units, commands: ['false'], users: [userInfo().username] }),
    });
    const release = releaseFolder(host.target, COMMIT);
    await mkdir(release, { recursive: true });
    const times = { stagedAt: ACTIVATED, activatedAt: ACTIVATED, provenGoodAt: ACTIVATED };
    await writeReleaseMark(host.target, { commit: COMMIT, ...times, previous: null, ...mark });
    await symlink(`releases/${COMMIT}`, join(host.target.appPath, 'current'));
    return host;
  }

  async function settled(
    host: TestHost,
    spec: Partial<Preflight> = {},
    commit = COMMIT,
  ): Promise<boolean | undefined> {
    const value = { minFreeBytes: 1, settle: true, ...spec };
    const end = await host.run({ $case: 'preflight', value }, { commit });
    expect('reason' in end ? end.reason : null).to.equal(null);
    return 'result' in end ? end.result?.settled : undefined;
  }
});

function asking(url: string): Health {
  return Health.fromPartial({
    probes: [{ name: url, timeoutMs: 5000, look: { $case: 'http', value: { url } } }],
  });
}

async function serving(status: number, use: (url: string) => Promise<unknown>): Promise<void> {
  const server = createServer((_, response) => void response.writeHead(status).end('ok'));
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    await new Promise((done) => server.close(done));
  }
}
