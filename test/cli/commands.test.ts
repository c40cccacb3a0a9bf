import { expect } from 'chai';
import { packageRoot } from '../../proto/package-root.js';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { aDesk, type Desk } from './desk.js';
import { OLD_SHA, SHA } from './samples.js';

describe('fraisier, asked by people and programs', () => {
  let desk: Desk;
  before(async () => {
    desk = await aDesk();
  });
  after(() => desk.clear());

  async function answer(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await desk.fraisier(args);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    return stdout;
  }
  const json = async (...args: string[]): Promise<unknown> => JSON.parse(await answer(...args, '--json'));
  const lastHeard = (): unknown => desk.controller.heard.at(-1);

  it('says its version', async () => {
    const text = await readFile(join(packageRoot(), 'package.json'), 'utf8');
    const { version } = JSON.parse(text) as { version: string };
    expect(await answer('--version')).to.equal(`fraisier ${version}\n`);
  });

  it('explains itself, and every flag of a server with its environment variable', async () => {
    expect(await answer('--help'))
      .to.include('deploy')
      .and.include('webhooks');
    expect(await answer('help', 'controller'))
      .to.include('[env: FRAISIER_HTTP]')
      .and.include('[env: FRAISIER_STATE');
    expect(await answer('agents', '--help')).to.include('agents token');
  });

  it('lists fraises as a tree and as a table', async () => {
    expect(await answer('list')).to.equal(
      [
        'checkout  api  The checkout API',
        '  environment  branch  live     hosts',
        '  production   main    3f2c1ab  web-1, web-2',
        '  staging      -       -        no host has the label stage',
        '',
      ].join('\n'),
    );
    expect(await answer('list', '--flat')).to.equal(
      [
        'fraise    environment  branch  live     hosts                        type',
        'checkout  production   main    3f2c1ab  web-1, web-2                 api',
        'checkout  staging      -       -        no host has the label stage  api',
        '',
      ].join('\n'),
    );
    expect(await json('list')).to.have.nested.property('fraises[0].environments[0].live_version', SHA);
  });

  it('shows the status of all, or of what is named', async () => {
    const all = await answer('status');
    expect(all).to.include('checkout → production  wanted 3f2c1ab').and.include('d_1 is running');
    expect(await json('status', 'checkout', 'staging')).to.have.nested.property(
      'environments[0].environment',
      'staging',
    );
    expect(lastHeard()).to.deep.equal({
      method: 'getStatus',
      request: { fraise: 'checkout', environment: 'staging' },
    });
  });

  it('says why something waits, cause below cause, and what would clear it', async () => {
    expect(await answer('why', 'd_2')).to.equal(
      [
        'd_2  checkout → production  3f2c1ab  queued, 1 in the queue, starts in about 2m 05s',
        '  waits for d_1, which is running',
        '    └ the agent on web-2 has been away since 11:00',
        'next: systemctl status fraisier-agent (on web-2)',
        '',
      ].join('\n'),
    );
    expect(await json('why', 'd_2')).to.have.nested.property('causes[1].code', 'agent_away');
    expect(await answer('why', 'checkout', 'production')).to.equal('checkout → production  nothing waits\n');
    expect(lastHeard()).to.deep.equal({
      method: 'explain',
      request: { deploymentId: '', fraise: 'checkout', environment: 'production' },
    });
    const { code, stderr } = await desk.fraisier(['why', 'checkout']);
    expect(code).to.equal(2);
    expect(stderr).to.equal(
      'error: which environment of checkout?\nnext: fraisier why checkout ENV, or fraisier why ID\n',
    );
  });

  it('lists past deployments, as many and as far back as asked for', async () => {
    expect(await answer('history', 'checkout', '--limit', '2', '--since', '7d', '--cursor', 'c0')).to.include(
      'more: --cursor c1',
    );
    const { request } = lastHeard() as {
      request: { since: Date; limit: number; cursor: string; fraise: string };
    };
    expect(request).to.include({ limit: 2, cursor: 'c0', fraise: 'checkout' });
    expect(Date.now() - request.since.getTime()).to.be.within(7 * 86_400_000, 7 * 86_400_000 + 60_000);
    expect(await json('history'))
      .to.deep.include({ next: 'c1' })
      .and.have.nested.property('deployments[1].status', 'failed');
  });

  it('shows one deployment whole', async () => {
    const id = desk.controller.record('checkout');
    expect(await answer('show', id))
      .to.include(`${id}  checkout → production`)
      .and.include(SHA);
    expect(await json('show', id)).to.deep.include({
      id,
      old_version: OLD_SHA,
      duration_ms: 12_300,
      reason: null,
    });
  });

  it('counts', async () => {
    expect(await answer('stats', 'checkout')).to.include('success rate     80.0 %');
    expect(lastHeard()).to.deep.equal({ method: 'getStats', request: { fraise: 'checkout', days: 30 } });
    expect(await json('stats', '--days', '7')).to.deep.include({
      total: 10,
      lead_time_ms: { p50: 30_000, p95: null },
      time_to_restore_ms: { p50: null, p95: null },
    });
  });

  it('lists deliveries and shows one', async () => {
    expect(await answer('webhooks', '--verdict', 'ignored')).to.include('issues are not deployed');
    expect(lastHeard()).to.deep.equal({
      method: 'listWebhooks',
      request: { limit: 20, cursor: '', verdict: 'ignored', fraise: '', since: undefined },
    });
    expect(await answer('webhooks', 'show', 'w_1'))
      .to.include('acme/checkout')
      .and.not.include('refs/heads/main');
    expect(await answer('webhooks', 'show', 'w_1', '--body')).to.include('{"ref":"refs/heads/main"}');
    expect(await answer('webhooks', '--fraise', 'checkout', '--since', '7d')).to.include('w_1');
    expect(await answer('webhooks', 'replay', 'w_1'))
      .to.include('w_1 was judged again as w_9')
      .and.include('queued d_9');
    expect(await answer('webhooks', 'setup', 'checkout'))
      .to.include('https://deploy.example.com/webhook/github')
      .and.include("git.github.webhook_secret resolves to (WEBHOOK_SECRET of the controller's environment)");
    expect(await json('webhooks'))
      .to.deep.include({ next: null })
      .and.have.nested.property('webhooks[0].deployments[0]', 'd_1');
    expect(await json('webhooks', 'show', 'w_1')).to.deep.include({ id: 'w_1', tag: null });
  });

  it('lists the agents and shuts one out', async () => {
    expect(await answer('agents'))
      .to.include('web-1  connected')
      .and.include('role=web, zone=a');
    expect(await answer('agents', 'revoke', 'web-1')).to.equal(
      'web-1  revoked\nnext: fraisier agents token --name web-1  (to let it join again)\n',
    );
    expect(await json('agents')).to.have.nested.property('agents[0].labels.zone', 'a');
  });

  it('makes a join token that stands alone on stdout', async () => {
    const { code, stdout, stderr } = await desk.fraisier([
      'agents',
      'token',
      '--name',
      'web-3',
      '--label',
      'role=web',
      '--label',
      'zone=',
      '--ttl',
      '30m',
    ]);
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'frj_for_web-3\n' });
    expect(stderr).to.equal(
      'on the host: FRAISIER_JOIN_TOKEN=TOKEN fraisier agent --controller c1:9090\nusable once, until 2026-11-23T13:00:00.000Z\n',
    );
    expect(lastHeard()).to.deep.equal({
      method: 'createJoinToken',
      request: { name: 'web-3', labels: { role: 'web', zone: '' }, ttlMs: 1_800_000 },
    });
    expect(await json('agents', 'token', '--name', 'web-3')).to.deep.equal({
      token: 'frj_for_web-3',
      expires_at: '2026-11-23T13:00:00.000Z',
      command: 'FRAISIER_JOIN_TOKEN=frj_for_web-3 fraisier agent --controller c1:9090',
    });
  });

  it('applies a configuration, or says what that would change', async () => {
    await desk.file('fraises.yaml', 'fraises: {}\n');
    expect(await answer('apply')).to.equal(
      'revision 4 applied:\n  checkout.production.branch: main → stable\nwarning: short secret\n',
    );
    expect(lastHeard()).to.deep.equal({
      method: 'applyConfiguration',
      request: { text: 'fraises: {}\n', fileName: 'fraises.yaml', dryRun: false },
    });
    expect(await answer('apply', 'fraises.yaml', '--dry-run')).to.match(/^this would change:\n/);
    expect(await json('apply')).to.deep.include({ revision: 4, changed: true });
  });

  it('prints what the steps printed, byte for byte, each once though the stream is cut', async () => {
    const { code, stdout, stderr } = await withLogs([
      'logs',
      desk.controller.record('checkout'),
      '--host',
      'web-1',
    ]);
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'fetching\nhalf a line\nmigrated\n' });
    expect(stderr).to.equal(
      [
        '── web-1 prepare fetch',
        `no controller answers at unix:${desk.socket}: the connection was cut; trying again for 5 s`,
        'the controller is back',
        '── web-1 migrate migrate (attempt 2)',
        '── the rest of this output was not kept',
        '',
      ].join('\n'),
    );
  });

  it('prints output as JSON, one chunk a line', async () => {
    const { stdout } = await withLogs([
      'logs',
      desk.controller.record('checkout'),
      '--json',
      '--follow',
      '--step',
      'fetch',
    ]);
    const chunks = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(chunks.map(({ data }) => data)).to.deep.equal(['fetching\nhalf', ' a line\n', 'migrated\n']);
    expect(chunks[2]).to.deep.include({
      host: 'web-1',
      phase: 'migrate',
      step: 'migrate',
      attempt: 2,
      offset: 0,
      truncated: true,
      at: null,
    });
  });

  function withLogs(args: readonly string[]): ReturnType<Desk['fraisier']> {
    const chunk = {
      host: 'web-1',
      phase: 'prepare',
      step: 'fetch',
      attempt: 1,
      truncated: false,
      at: undefined,
    };
    desk.controller.logs = [
      { ...chunk, offset: 0, data: Buffer.from('fetching\nhalf') },
      { ...chunk, offset: 13, data: Buffer.from(' a line\n') },
      {
        ...chunk,
        phase: 'migrate',
        step: 'migrate',
        attempt: 2,
        offset: 0,
        data: Buffer.from('migrated\n'),
        truncated: true,
      },
    ];
    desk.controller.cutLogsAfter = 1;
    return desk.fraisier(args);
  }

  it('validates a configuration without any controller', async () => {
    const good = await desk.file(
      'good.yaml',
      'git: { provider: github, github: { webhook_secret: test-secret } }\nfraises:\n  test_api:\n    type: api\n    environments:\n      development: { app_path: /tmp/api, systemd_service: api.service }\n',
    );
    const { code, stdout } = await desk.fraisier(['validate', good], {
      environment: { FRAISIER_CONTROLLER: 'unix:/nowhere' },
    });
    expect(code).to.equal(0);
    expect(stdout).to.include('good.yaml is valid: 1 fraise, 1 environment\n').and.include('warning: ');
  });

  it('says where and what is wrong in a configuration', async () => {
    const bad = await desk.file('bad.yaml', 'fraises:\n  shop: { type: spoon, environments: {} }\n');
    const people = await desk.fraisier(['validate', bad]);
    expect(people).to.deep.include({ code: 2, stderr: '' });
    expect(people.stdout).to.match(
      /^error: .*bad\.yaml:2:\d+: fraises\.shop\.type: .*\n(error: .*\n)*.*bad\.yaml is not valid: \d+ errors?\n$/,
    );
    const programs = await desk.fraisier(['validate', bad, '--json']);
    expect(programs.code).to.equal(2);
    const { valid, problems } = JSON.parse(programs.stdout) as {
      valid: boolean;
      problems: { line: number; path: string }[];
    };
    expect({ valid, ...problems[0] }).to.deep.include({ valid: false, line: 2, path: 'fraises.shop.type' });
  });

  it('finds the configuration in its usual places', async () => {
    const { code, stderr } = await desk.fraisier(['validate'], { cwd: '/' });
    expect({ code, stderr }).to.deep.equal({
      code: 2,
      stderr:
        'error: no configuration here: neither fraises.yaml nor config/fraises.yaml exists\nnext: name the file, or change to the folder that holds it\n',
    });
  });

  it('logs in once, and needs no address and no token afterwards', async () => {
    const { controller, folder } = desk;
    const environment = { FRAISIER_CONTROLLER: undefined };
    const login = await desk.fraisier(['login', controller.address, '--context', 'shop'], {
      environment,
      input: `${controller.token}\n`,
    });
    expect(login).to.deep.include({
      code: 0,
      stderr: '',
      stdout: `logged in to ${controller.address} (fraisier 0.1.0) as ann, role admin; context shop is now the current one\n`,
    });
    const file = join(folder, 'config/fraisier/contexts.json');
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    expect(await desk.fraisier(['agents', '--json'], { environment })).to.deep.include({
      code: 0,
      stderr: '',
    });
    const byAddress = { environment: { FRAISIER_CONTROLLER: controller.address } };
    expect(await desk.fraisier(['agents', '--json'], byAddress)).to.deep.include({ code: 0, stderr: '' });
    const address = controller.address.replace('localhost', '127.0.0.1');
    const byIp = { environment: { FRAISIER_CONTROLLER: address, FRAISIER_TOKEN: controller.token } };
    expect(await desk.fraisier(['agents', '--json'], byIp)).to.deep.include({ code: 0, stderr: '' });
  });

  it('logs in with a token from a file or from the environment, and to a socket without any', async () => {
    const { controller, socket } = desk;
    const tokenFile = await desk.file('token', `${controller.viewerToken}\n`);
    const fromFile = await desk.fraisier(['login', controller.address, '--token-file', tokenFile, '--json']);
    expect(JSON.parse(fromFile.stdout)).to.deep.equal({
      context: 'localhost',
      address: controller.address,
      name: 'bob',
      role: 'viewer',
      controller_version: '0.1.0',
    });
    const fromEnvironment = await desk.fraisier(['login', controller.address], {
      environment: { FRAISIER_TOKEN: controller.token },
    });
    expect(fromEnvironment.stdout).to.include('as ann, role admin');
    const toSocket = await desk.fraisier(['login', `unix:${socket}`]);
    expect(toSocket.stdout).to.include('context local is now the current one');
    const viaContext = await desk.fraisier(['list', '--flat', '--context', 'localhost']);
    expect(viaContext).to.deep.include({ code: 0, stderr: '' });
  });

  it('works with an address and a token alone, as in CI', async () => {
    const environment = {
      FRAISIER_TOKEN: desk.controller.token,
      XDG_CONFIG_HOME: join(desk.folder, 'elsewhere'),
    };
    const { code, stderr } = await desk.fraisier(['list', '--controller', desk.controller.address], {
      environment,
    });
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });
});
