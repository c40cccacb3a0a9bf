import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { plainEnvironment } from '../support/fraisier-program.js';
import { Program } from '../support/program.js';
import { sampleService, type SampleService } from '../support/sample-service.js';
import { until } from '../support/until.js';
import { installAgent } from './agent-unit.js';
import type { Balanced } from './balancer.js';
import { follow, type Deployed } from './deploying.js';
import { SERVERS, startFleet, USER, type Fleet, type Server } from './fleet.js';

/** As docs/configuration.md has it. */
const HOOKS = `        hooks:
          before_restart: { command: [sh, balancer.sh, drain], repeatable: true, timeout: 30s }
          after_health: { command: [sh, balancer.sh, attach], repeatable: true, timeout: 30s }
          on_rollback: { command: [sh, balancer.sh, attach], repeatable: true, timeout: 30s }
`;

describe('hosts behind a load balancer', function () {
  this.timeout(120_000);
  let fleet: Fleet;
  let service: SampleService;
  let balancer: Program;
  let broken: (host: Server | undefined) => Promise<void>;

  before(async () => {
    fleet = await startFleet();
    service = await makeService();
    balancer = await startBalancer();
    const allowing = [
      ...['--repository', `${fleet.repositoriesUrl}/shop.git`, '--path', '/srv/shop'],
      ...[
        '--unit',
        'shop.service',
        '--user',
        USER,
        '--command',
        'sh install.sh',
        '--command',
        'sh balancer.sh *',
      ],
    ];
    await Promise.all(SERVERS.map((server) => installAgent(fleet, server, allowing)));
    await fleet.apply(configuration());
    expectDeployed(await release('the first'));
    await ask('POST', '/visit');
  });

  after(async () => {
    await (balancer as Program | undefined)?.stop();
    await (fleet as Fleet | undefined)?.stop();
  });

  it('are drained before each restart and attached once they are ready: a rollout loses no request', async () => {
    const before = await ask('GET', '/');
    expectDeployed(await release('the second'));
    const after = await visited(before);
    expect(after.done.slice(before.done.length)).to.deep.equal([
      'drain h1',
      'attach h1',
      'drain h2',
      'attach h2',
    ]);
  });

  it('are attached again when a release is taken back that is broken on the second, which no visitor notices', async () => {
    const before = await ask('GET', '/');
    await broken('h2');
    const { shown } = await release('broken on the second');
    await broken(undefined);
    expect([shown.status, shown.reason?.code]).to.deep.equal(['rolled_back', 'health_check_failed']);
    const after = await visited(before);
    const done = after.done.slice(before.done.length);
    expect(done.slice(0, 4)).to.deep.equal(['drain h1', 'attach h1', 'drain h2', 'drain h2']);
    expect(done.slice(4).toSorted()).to.deep.equal(['attach h1', 'attach h2', 'drain h1']);
  });

  it('are attached again when the balancer does not let go of one, and the deployment says so', async () => {
    const before = await ask('GET', '/');
    await ask('POST', '/stuck/on');
    const { shown } = await release('the balancer is stuck');
    await ask('POST', '/stuck/off');
    expect([shown.status, shown.reason?.code]).to.deep.equal(['rolled_back', 'hook_failed']);
    expect(shown.reason?.message).to.contain('the hook before_restart');
    await visited(before);
  });

  /** Since then visitors came, all were answered, and both hosts get requests. */
  async function visited(before: Balanced): Promise<Balanced> {
    await until('more visits', async () => (await ask('GET', '/')).visits > before.visits + 20);
    const after = await ask('GET', '/');
    expect(after.lost, 'visits that were lost').to.deep.equal([]);
    expect(after.attached).to.deep.equal([...SERVERS]);
    return after;
  }

  function expectDeployed({ code, shown, stderr }: Deployed): void {
    expect([code, shown.status], `${JSON.stringify(shown.reason)} ${stderr}`).to.deep.equal([0, 'succeeded']);
  }

  async function release(message: string): Promise<Deployed> {
    await service.commit(message);
    return follow(fleet, ['deploy', 'shop', 'production']);
  }

  async function ask(method: string, path: string): Promise<Balanced> {
    const url = `http://${fleet.lab.address}:9000${path}`;
    return JSON.parse(
      await fleet.lab.must(['curl', '--fail', '--silent', '--max-time', '30', '--request', method, url]),
    ) as Balanced;
  }

  /** It takes a while to answer, and whoever it has in hand when it is stopped gets no answer. */
  async function makeService(): Promise<SampleService> {
    const made = await sampleService(fleet.repositories, '/srv', 'shop');
    const work = join(fleet.repositories, 'shop-work');
    const pool = `http://${fleet.lab.address}:9000`;
    await writeFile(
      join(work, 'balancer.sh'),
      `exec curl --fail --silent --show-error --max-time 25 --request POST "${pool}/$(cat /etc/hostname)/$1"\n`,
    );
    const server = (await readFile(join(work, 'server.mjs'), 'utf8'))
      .replace("'127.0.0.1'", "'0.0.0.0'")
      .replace('response.end(', 'setTimeout(() => response.end(')
      .replace('commit }));', 'commit })), 100);');
    broken = (host) =>
      writeFile(join(work, 'server.mjs'), host === undefined ? server : brokenOn(server, host));
    await broken(undefined);
    for (const name of SERVERS) {
      const host = fleet.server(name);
      await writeFile(join(host.root, 'etc/systemd/system/shop.service'), unit(made.port));
      await host.must(['systemctl', 'enable', '--quiet', 'shop.service']);
    }
    return made;
  }

  async function startBalancer(): Promise<Program> {
    const { lab } = fleet;
    const hosts = SERVERS.map((name) => `${name}=${fleet.server(name).address}:${service.port}`);
    const script = fileURLToPath(new URL('balancer.js', import.meta.url));
    const program = new Program({
      name: 'balancer',
      argv: lab.argv([process.execPath, script, lab.address, ...hosts]),
      environment: plainEnvironment(),
      cwd: lab.folder,
      logFile: join(lab.folder, 'balancer.log'),
      ready: async (signal) => {
        const answers = () => ask('GET', '/').then(() => true);
        await until('the balancer to answer', answers, { everyMs: 100, signal });
      },
    });
    await program.start();
    return program;
  }

  function configuration(): string {
    return `name: fleet
fraises:
  shop:
    type: api
    repository: ${fleet.repositoriesUrl}/shop.git
    install: { command: [sh, install.sh], timeout: 60s }
    environments:
      production:
        hosts: [${SERVERS.join(', ')}]
        app_path: /srv/shop
        user: ${USER}
        systemd_service: shop.service
        health_check: { url: '${service.url}', attempts: 8, delay: 250ms, timeout: 2s, expect: { status: 200, version_field: commit } }
${HOOKS}`;
  }
});

function brokenOn(server: string, host: Server): string {
  const here = `readFileSync('/etc/hostname', 'utf8').trim() === '${host}'`;
  return server.replace("status === 'ok' ?", `status === 'ok' && !(${here}) ?`);
}

function unit(port: number): string {
  return `[Unit]
Description=Sells things
StartLimitIntervalSec=0

[Service]
User=${USER}
RuntimeDirectory=shop
WorkingDirectory=/srv/shop/current
ExecStart=/usr/local/bin/node server.mjs ${port} /run/shop/pid

[Install]
WantedBy=multi-user.target
`;
}
