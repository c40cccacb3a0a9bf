import { expect } from 'chai';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { signedBranchDeletion, signedPush, type SignedDelivery } from '../support/github.js';
import { ended, push, SECRET, type Shown } from './deploying.js';
import { gatedService, type GatedService } from './gated-service.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly status?: string;
    readonly error_type?: string;
    readonly deployments?: readonly string[];
  };
}

describe('what is said and recorded', function () {
  this.timeout(90_000);
  let cluster: Cluster;
  let gated: GatedService;
  let first: string;
  const configuration = () => gated.configuration.replace('attempts: 40', 'attempts: 4');

  before(async () => {
    cluster = await startCluster({
      environment: { GITHUB_WEBHOOK_SECRET: SECRET, FRAISIER_LEASE_MS: '3000' },
    });
    gated = await gatedService(cluster, ['timeout: 30s']);
    await cluster.apply(configuration());
    first = await push(cluster, gated.service.repository, await gated.commit('the one that is live'));
    expect((await ended(cluster, first)).status).to.equal('succeeded');
  });

  after(async () => {
    await gated.service.stop();
    await cluster.stop();
  });

  beforeEach(() => gated.reset());

  it('a delivery that comes twice deploys once; a forged one neither deploys nor claims its id', async () => {
    const commit = await gated.commit('first');
    const { repository } = gated.service;
    const delivery = signedPush({
      repository,
      branch: 'main',
      commit,
      secret: SECRET,
      deliveryId: '11111111-2222-3333-4444-555555555555',
    });
    const forged = {
      ...delivery,
      body: Buffer.from(delivery.body.toString().replace('"forced":false', '"forced":true ')),
    };
    expect((await deliver(forged)).status).to.equal(401);
    const first = await deliver(delivery);
    expect([first.status, first.body.status]).to.deep.equal([202, 'accepted']);
    const second = await deliver(delivery);
    expect([second.status, second.body.status]).to.deep.equal([200, 'duplicate']);
    expect((await ended(cluster, first.body.deployments?.[0] ?? '')).status).to.equal('succeeded');
    const { webhooks } = await cluster.json<{ webhooks: { verdict: string; deployments: string[] }[] }>([
      'webhooks',
    ]);
    expect(webhooks.slice(0, 3).map(({ verdict }) => verdict)).to.deep.equal([
      'duplicate',
      'deployed',
      'bad_signature',
    ]);
    expect(webhooks[1]?.deployments).to.deep.equal(first.body.deployments);
  });

  it('another repository, another branch and a deleted branch are ignored with the reason, and all of it is in the ledger', async () => {
    const commit = 'd'.repeat(40);
    const { repository } = gated.service;
    const others = [
      signedPush({ repository: 'https://github.com/acme/other.git', branch: 'main', commit, secret: SECRET }),
      signedPush({ repository, branch: 'feature', commit, secret: SECRET }),
      signedBranchDeletion({ repository, branch: 'main', secret: SECRET }),
    ];
    for (const other of others) expect((await deliver(other)).body.status).to.equal('ignored');
    const { webhooks } = await cluster.json<{
      webhooks: { verdict: string; reason: { code: string } | null }[];
    }>(['webhooks']);
    expect(webhooks.slice(0, 3).map(({ verdict, reason }) => `${verdict} ${reason?.code}`)).to.deep.equal([
      'ignored branch_deleted',
      'ignored no_target',
      'ignored unknown_repository',
    ]);
  });

  it('two deploys at the same instant run one after the other (row 10)', async () => {
    const commits = [await gated.commit('one of two'), await gated.commit('the other of two')];
    const ask = (commit: string) =>
      cluster.json<Shown>(['deploy', 'hello', 'production', '--commit', commit, '--no-wait']);
    const made = await Promise.all(commits.map(ask));
    const ends = await Promise.all(made.map(({ id }) => ended(cluster, id)));
    expect(ends.map(({ status }) => status)).to.deep.equal(['succeeded', 'succeeded']);
    const [first, second] = ends.toSorted((one, other) => one.started_at.localeCompare(other.started_at));
    expect(Date.parse(second?.started_at ?? '')).to.be.at.least(Date.parse(first?.finished_at ?? ''));
  });

  it('a release that never gets healthy leaves the old one live, and every screen tells the same story', async () => {
    const before = (await gated.service.answer()).commit;
    const id = await push(cluster, gated.service.repository, await gated.commit('broken', false));
    const shown = await ended(cluster, id);
    expect(shown.status).to.equal('rolled_back');
    expect(shown.reason?.code).to.equal('health_check_failed');
    expect(shown.reason?.message).to.contain(gated.service.url).and.to.contain('500 {"status":"broken"');
    expect(await gated.service.answer()).to.deep.equal({ status: 'ok', commit: before });
    const { deployments } = await cluster.json<{ deployments: Shown[] }>(['history']);
    expect(deployments[0]).to.deep.include({ id, status: 'rolled_back', reason: shown.reason });
    const status = await cluster.json<{
      environments: {
        wanted_version: string;
        hosts: { live_version: string; status: string }[];
        last: Shown;
      }[];
    }>(['status']);
    expect(status.environments[0]?.hosts).to.have.nested.property('[0].live_version', before);
    expect(status.environments[0]?.hosts[0]?.status).to.equal('live');
    expect(status.environments[0]?.last.status).to.equal('rolled_back');
    const stats = await cluster.json<{ rolled_back: number; total: number }>(['stats', 'hello']);
    expect(stats.rolled_back, `of ${stats.total}`).to.equal(1);
    expect((await cluster.cli(['watch', id])).code, 'exit code of watch').to.equal(1);
  });

  it('a child that ignores SIGTERM and keeps stdout open cannot outlast its timeout (row 7)', async () => {
    const work = join(cluster.folder, 'hello-work', 'install.sh');
    const original = await readFile(work, 'utf8');
    await writeFile(work, `trap '' TERM\n(trap '' TERM; sleep 300) &\nwhile :; do sleep 1; done\n`);
    const short = configuration().replace('[sh, install.sh]', '[sh, install.sh], timeout: 2s');
    await cluster.apply(short);
    const began = Date.now();
    const shown = await ended(
      cluster,
      await push(cluster, gated.service.repository, await gated.commit('hangs')),
    );
    expect([shown.status, shown.reason?.code]).to.deep.equal(['failed', 'timed_out']);
    expect(Date.now() - began).to.be.below(25_000);
    await writeFile(work, original);
    await cluster.apply(configuration());
  });

  it('a deploy from the command line that cannot be is refused with a sentence and the next thing to type, and nothing is written', async () => {
    const count = async () =>
      (await cluster.json<{ deployments: unknown[] }>(['history', '--limit', '100'])).deployments.length;
    const before = await count();
    const cases: [string[], number, RegExp][] = [
      [['deploy', 'hallo', 'production'], 2, /no fraise "?hallo"?.*hello[^]*next: fraisier list/],
      [['deploy', 'hello', 'prod'], 2, /no environment "?prod"?.*production[^]*next: /],
      [['deploy', 'hello', 'production', '--commit', 'f'.repeat(40)], 2, /commit ffffffff[^]*next: /],
      [['deploy', 'hello', 'production', '--branch', 'nope'], 2, /nope/],
      [['deploy', 'hello', 'production', '--hosts', 'web-9'], 2, /web-9/],
      [['deploy', 'hello', 'production', '--controller', 'unix:/nowhere/fraisier.sock'], 3, /nowhere/],
    ];
    for (const [argv, exit, words] of cases) {
      const { code, stderr } = await cluster.cli(argv);
      expect([code, stderr.split('\n').length <= 4], `${argv.join(' ')}: ${stderr}`).to.deep.equal([
        exit,
        true,
      ]);
      expect(stderr).to.match(words);
    }
    const broken = join(cluster.folder, 'broken.yaml');
    await writeFile(broken, 'name: x\nfraises:\n  hello:\n    typ: api\n');
    const invalid = await cluster.cli(['apply', broken]);
    expect(invalid.code).to.equal(2);
    expect(invalid.stderr).to.match(/broken\.yaml:4:5.*typ[^]*type/);
    expect(await count()).to.equal(before);
  });

  it('a host whose policy refuses says which line would allow it, and nothing is written', async () => {
    const policy = join(cluster.folder, 'agents', 'web-1', 'policy.yaml');
    const allowed = await readFile(policy, 'utf8');
    await writeFile(policy, allowed.replace(/^commands:.*$/m, 'commands: []'));
    const { code, stderr } = await cluster.cli(['deploy', 'hello', 'production']);
    await writeFile(policy, allowed);
    expect(code).to.equal(5);
    expect(stderr).to.contain('policy.yaml').and.to.contain('fraisier agent allow');
  });

  it('an agent that is away is said to be, and nothing is written', async () => {
    await cluster.agent('web-1').stop();
    const { code, stderr } = await cluster.cli(['deploy', 'hello', 'production']);
    await cluster.agent('web-1').start();
    expect(code).to.equal(3);
    expect(stderr).to.match(/web-1 is not connected[^]*next: /);
  });

  it('cancel reaches the running command, and what was asked for and happened is 0', async () => {
    await gated.close('install');
    const id = await push(cluster, gated.service.repository, await gated.commit('to be cancelled'));
    await gated.entered('install');
    const { code, stdout, stderr } = await cluster.cli(['cancel', id]);
    expect(code, stdout + stderr).to.equal(0);
    const shown = await ended(cluster, id);
    expect([shown.status, shown.reason?.code]).to.deep.equal(['cancelled', 'cancelled']);
  });

  async function deliver({ headers, body }: SignedDelivery): Promise<Answer> {
    const answer = await fetch(`${cluster.http}/webhook`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  }
});

describe('secrets', function () {
  this.timeout(90_000);
  const canaries = {
    webhook: 'canary-webhook-secret-0123456789',
    hostFile: 'canary-environment-file-0123456789',
    cloneUrl: 'canary-clone-password-0123456789',
  };

  it('are in no process list, log, journal, row, JSON or error message', async () => {
    const cluster = await startCluster({ environment: { GITHUB_WEBHOOK_SECRET: canaries.webhook } });
    try {
      const environmentFile = join(cluster.folder, 'host.env');
      await writeFile(environmentFile, `DATABASE_PASSWORD=${canaries.hostFile}\n`, { mode: 0o600 });
      const gated = await gatedService(cluster, [`environment_file: ${environmentFile}`]);
      await cluster.apply(gated.configuration);
      const refused = gated.configuration.replace(
        JSON.stringify(gated.service.repository),
        `https://user:${canaries.cloneUrl}@example.com/a.git`,
      );
      const bad = join(cluster.folder, 'password.yaml');
      await writeFile(bad, refused);
      const refusal = await cluster.cli(['apply', bad]);
      expect(refusal.code).to.equal(2);
      await writeFile(bad, '');
      await writeFile(join(cluster.folder, 'fraises.yaml'), '');
      const seen = [refusal.stderr, refusal.stdout];
      const commit = await gated.commit('one');
      const { headers, body } = signedPush({
        repository: gated.service.repository,
        branch: 'main',
        commit,
        secret: canaries.webhook,
      });
      await gated.close('install');
      const answer = await fetch(`${cluster.http}/webhook`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      });
      const said = (await answer.json()) as { deployments: string[] };
      await gated.entered('install');
      seen.push(await processList());
      await gated.open('install');
      const shown = await ended(cluster, said.deployments[0] ?? '');
      expect(shown.status).to.equal('succeeded');
      for (const argv of [
        ['show', shown.id],
        ['logs', shown.id],
        ['watch', shown.id],
        ['history'],
        ['webhooks'],
        ['status'],
        ['agents'],
      ]) {
        for (const flags of [[], ['--json']]) {
          const { stdout, stderr } = await cluster.cli([...argv, ...flags]);
          seen.push(stdout, stderr);
        }
      }
      const { token } = await cluster.json<{ token: string }>(['agents', 'token', '--name', 'web-9']);
      await gated.service.stop();
      await cluster.agent('web-1').stop();
      await cluster.controller.stop();
      await writeFile(environmentFile, '');
      const sinks = [...seen.map((text) => Buffer.from(text)), ...(await filesBelow(cluster.folder))];
      for (const [name, canary] of [...Object.entries(canaries), ['join token', token]] as const) {
        const found = sinks.findIndex((sink) => sink.includes(canary));
        expect(found, `the ${name} is in sink ${found} of ${sinks.length}`).to.equal(-1);
      }
      expect(
        sinks.some((sink) => sink.includes(commit)),
        'the sinks do hold what was recorded',
      ).to.equal(true);
    } finally {
      await cluster.stop();
    }
  });

  async function processList(): Promise<string> {
    const pids = (await readdir('/proc')).filter(
      (name) => /^\d+$/.test(name) && name !== String(process.pid),
    );
    const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    return (await Promise.all(lines)).join('\n');
  }

  /** Every file the programs wrote: logs, journals, the pages and the write-ahead log of the database. */
  async function filesBelow(folder: string): Promise<Buffer[]> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const elsewhere = await databaseFolder(folder);
    const more = elsewhere === null ? [] : await filesBelow(elsewhere);
    const own = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))));
    return [...own, ...more];
  }

  /** The embedded database lies elsewhere when the state folder is one its user cannot reach; a link says where. */
  async function databaseFolder(folder: string): Promise<string | null> {
    if (!folder.includes('fraisier-')) return null;
    return readlink(join(folder, 'controller', 'postgresql')).catch(() => null);
  }
});
