import { expect } from 'chai';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { runCommand, type CommandOutput } from '../support/run-command.js';

describe('fraisier on a server', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-server-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const fraisier = (...args: string[]): Promise<CommandOutput> =>
    runCommand([process.execPath, FRAISIER, ...args], {
      cwd: folder,
      timeoutMs: 15_000,
      environment: { ...plainEnvironment(), HOME: folder },
    });

  it('widens the policy of this host, and says what is new', async () => {
    const policy = join(folder, 'policy.yaml');
    const first = await fraisier(
      'agent',
      'allow',
      '--policy',
      policy,
      '--path',
      '/srv/a',
      '--path',
      '/srv/b',
      '--unit',
      'a.service',
      '--command',
      'npm ci',
    );
    expect(first).to.deep.equal({
      code: 0,
      stdout: `${policy} now allows:\n  paths: /srv/a, /srv/b\n  units: a.service\n  commands: npm ci\n`,
      stderr: '',
    });
    expect(await readFile(policy, 'utf8'))
      .to.include('/srv/a')
      .and.include('npm ci');
    const again = await fraisier('agent', 'allow', '--policy', policy, '--unit', 'a.service', '--json');
    expect(JSON.parse(again.stdout)).to.deep.equal({ policy, added: {} });
  });

  it('asks what to allow', async () => {
    expect(await fraisier('agent', 'allow')).to.deep.equal({
      code: 2,
      stdout: '',
      stderr:
        'error: nothing to allow: say --repository, --path, --unit, --unit-file, --user or --command\nnext: fraisier agent allow --help\n',
    });
  });

  it('does not start an agent that never joined', async () => {
    const { code, stderr } = await fraisier(
      'agent',
      '--state',
      join(folder, 'state'),
      '--policy',
      join(folder, 'policy.yaml'),
    );
    expect(code).to.equal(5);
    expect(stderr).to.match(/^error: this agent is not enrolled\nnext: .*fraisier agents token/);
  });

  it('does not install an agent that cannot join', async () => {
    const { code, stderr } = await fraisier(
      'agent',
      'install',
      '--state',
      join(folder, 'state'),
      '--policy',
      join(folder, 'policy.yaml'),
    );
    expect(code).to.be.oneOf([2, 5]);
    expect(stderr).to.match(
      /^error: (installing the agent needs root|systemd is not running here|this agent is not enrolled)/,
    );
  });

  it('reads lists from the environment as well as from flags', async () => {
    const withEnvironment = (
      environment: Record<string, string>,
      ...args: string[]
    ): Promise<CommandOutput> =>
      runCommand([process.execPath, FRAISIER, ...args, '--state', join(folder, 'state')], {
        cwd: folder,
        timeoutMs: 15_000,
        environment: { ...plainEnvironment(), HOME: folder, ...environment },
      });
    const agent = await withEnvironment({ FRAISIER_CONTROLLER: 'one.test, two.test' }, 'agent');
    expect(agent.stderr).to.match(/^error: this agent is not enrolled\n/);
    const controller = await withEnvironment({ FRAISIER_ADVERTISE: 'shop,a b' }, 'controller');
    expect(controller.stderr).to.match(/^error: --advertise "a b" is no name/);
  });

  it('does not start a controller with a name that cannot stand in a certificate', async () => {
    expect(
      await fraisier('controller', '--state', join(folder, 'state'), '--advertise', 'shop,a b'),
    ).to.deep.equal({
      code: 2,
      stdout: '',
      stderr: 'error: --advertise "a b" is no name: wanted are host names or IP addresses without port\n',
    });
  });
});
