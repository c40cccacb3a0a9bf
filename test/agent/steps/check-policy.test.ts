import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Policy } from '../../../agent/policy.js';
import { checkPolicy } from '../../../agent/steps/check-policy.js';
import {
  mayInstallUnit,
  mayRunCommand,
  mayUsePath,
  mayUseRepository,
  mayUseUnit,
  mayUseUser,
} from '../../../agent/steps/policy-rules.js';
import { Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { withFolder } from '../exec/a-spec.js';
import { aPolicy, aTarget } from './a-step-context.js';
import type { AnAction } from './a-step-context.js';

const policy = (more: Partial<Policy>): Policy => ({
  ...aPolicy('/nowhere'),
  paths: [],
  file: '/etc/fraisier/policy.yaml',
  ...more,
});
const root = { name: 'root', uid: 0, gid: 0, home: '/root' };
const carol = { name: 'carol', uid: 1000, gid: 1000, home: '/home/carol' };

function aStep(action: AnAction): Step {
  return Step.fromPartial({ name: 'one', timeoutMs: 1000, action });
}

describe('what the policy allows', () => {
  const repositories: [string, string, boolean][] = [
    ['https://github.com/acme/a.git', 'https://github.com/acme/a.git', true],
    ['https://github.com/acme/a.git', ' https://github.com/acme/a.git ', true],
    ['https://github.com/acme/a.git', 'https://github.com/acme/a.git.evil', false],
    ['https://github.com/acme/*', 'https://github.com/acme/b.git', true],
    ['https://github.com/acme/*', 'https://github.com/acme/../evil/b.git', false],
    ['https://github.com/acme/*', 'https://github.com/acme/%2e%2e/evil/b.git', false],
    ['https://github.com/acme/*', 'https://github.com/other/b.git', false],
  ];
  for (const [listed, repository, allowed] of repositories) {
    it(`${allowed ? 'allows' : 'refuses'} the repository ${repository} where ${listed} is listed`, () => {
      expect(mayUseRepository(policy({ repositories: [listed] }), repository) === null).to.equal(allowed);
    });
  }

  const paths: [string, boolean][] = [
    ['/srv/checkout', true],
    ['/srv/checkout/', true],
    ['/srv/checkout/releases/x', true],
    ['/srv/checkout-other', false],
    ['/srv/checkout/../other', false],
    ['/srv/./checkout', false],
    ['srv/checkout', false],
    ['/srv', false],
    ['/srv/checkout/\0', false],
  ];
  for (const [path, allowed] of paths) {
    it(`${allowed ? 'allows' : 'refuses'} the path ${JSON.stringify(path)} where /srv/checkout/ is listed`, () => {
      expect(mayUsePath(policy({ paths: ['/srv/checkout/'] }), path) === null).to.equal(allowed);
    });
  }

  it('takes a unit without a suffix for a service, and no pattern for a unit', () => {
    expect(mayUseUnit(policy({ units: ['checkout'] }), 'checkout.service')).to.equal(null);
    expect(mayUseUnit(policy({ units: ['checkout.service'] }), 'checkout')).to.equal(null);
    expect(mayUseUnit(policy({ units: ['checkout.service'] }), 'c*')).to.include({ value: 'c*.service' });
    expect(mayUseUnit(policy({ units: ['checkout.service'] }), 'checkout.timer')).to.include({
      value: 'checkout.timer',
    });
  });

  it('lets an agent that is not root be itself, and root only what is listed', () => {
    expect(mayUseUser(policy({}), '', carol)).to.equal(null);
    expect(mayUseUser(policy({}), 'carol', carol)).to.equal(null);
    expect(mayUseUser(policy({}), 'root', carol)).to.include({ value: 'root' });
    expect(mayUseUser(policy({}), '', root)).to.include({ value: 'root' });
    expect(mayUseUser(policy({ users: ['checkout'] }), 'checkout', root)).to.equal(null);
  });

  const commands: [string, string[], boolean][] = [
    ['npm ci', ['npm', 'ci'], true],
    ['npm ci', ['npm', 'ci', '--force'], false],
    ['npm ci', ['npm'], false],
    ['npm **', ['npm', 'run', 'x y'], true],
    ['npm **', ['npm'], true],
    ['npm **', ['npx'], false],
    ['npm run **', ['npm'], false],
    ['npm run build-*', ['npm', 'run', 'build-all'], true],
    ['npm run build-*', ['npm', 'run', 'test'], false],
    ["/bin/sh -c 'npm ci && npm test'", ['/bin/sh', '-c', 'npm ci && npm test'], true],
    ['"/opt/my app/run"  --now', ['/opt/my app/run', '--now'], true],
    ["echo '*'", ['echo', 'anything'], false],
    ["echo '*'", ['echo', '*'], true],
    ["echo '**'", ['echo'], false],
    ["echo ''", ['echo', ''], true],
    ['**', ['rm', '-rf', '/'], false],
    ['', [], false],
  ];
  for (const [listed, argv, allowed] of commands) {
    it(`${allowed ? 'allows' : 'refuses'} ${JSON.stringify(argv)} where ${JSON.stringify(listed)} is listed`, () => {
      expect(mayRunCommand(policy({ commands: [listed] }), argv) === null).to.equal(allowed);
    });
  }

  it('takes no path for the name of a unit', () => {
    const listed = policy({ unit_files: ['app-*'] });
    expect(mayInstallUnit(listed, 'app-one.service')).to.equal(null);
    expect(mayInstallUnit(listed, 'app-/../ssh.service')?.key).to.equal('unit_files');
  });

  it('names the command by a line that allows exactly it', () => {
    for (const argv of [
      ['npm', 'ci'],
      ['sh', '-c', "echo 'it''s' \"x\" *"],
      ['echo', '', '*', 'a b'],
    ]) {
      const refused = mayRunCommand(policy({}), argv);
      expect(mayRunCommand(policy({ commands: [refused?.value ?? ''] }), argv)).to.equal(null);
      expect(mayRunCommand(policy({ commands: [refused?.value ?? ''] }), [...argv, 'more'])).not.to.equal(
        null,
      );
    }
  });
});

describe('what the policy refuses of an assignment', () => {
  const target = aTarget('/srv', {
    repository: 'https://github.com/acme/a.git',
    systemdService: 'checkout',
    user: 'checkout',
    environmentFile: '/etc/checkout/env',
  });
  const steps = [
    aStep({ $case: 'preflight', value: { minFreeBytes: 0 } }),
    aStep({
      $case: 'fetch',
      value: { repository: target.repository, commit: '', ref: '', attempts: 1, delayMs: 0 },
    }),
    aStep({ $case: 'stage', value: { commit: '' } }),
    aStep({ $case: 'command', value: { argv: ['npm', 'ci'], shell: '', user: '', commit: '' } }),
    aStep({ $case: 'command', value: { argv: [], shell: 'make all', user: 'builder', commit: '' } }),
    aStep({ $case: 'migrationStatus', value: { argv: ['status'], user: '', commit: '', expect: undefined } }),
    aStep({
      $case: 'migrate',
      value: { argv: ['up'], user: '', commit: '', direction: 'DIRECTION_UP', environment: {} },
    }),
    aStep({ $case: 'activate', value: { commit: '' } }),
    aStep({ $case: 'restart', value: { how: { $case: 'systemdService', value: 'checkout' } } }),
    aStep({
      $case: 'restart',
      value: { how: { $case: 'command', value: { argv: ['kick'], shell: '', user: '', commit: '' } } },
    }),
    aStep({ $case: 'restart', value: { how: undefined } }),
    aStep({ $case: 'deactivate', value: { systemdService: 'checkout' } }),
    aStep({ $case: 'deactivate', value: { systemdService: '' } }),
    aStep({ $case: 'prune', value: { keep: 1, keepCommits: [] } }),
    aStep(undefined),
  ];

  it('lets no plan say what a command is: variables that steer it belong to the host', async () => {
    const setting = (environment: Record<string, string>) =>
      aStep({ $case: 'command', value: { argv: ['npm', 'ci'], commit: '', environment } });
    const allowed = policy({ paths: ['/srv'], users: ['root'], commands: ['npm ci'] });
    const ask = (...asked: Step[]) => checkPolicy(aTarget('/srv'), asked, allowed, root);
    expect(await ask(setting({ COLOUR: 'red' }))).to.equal(null);
    for (const name of ['PATH', 'LD_PRELOAD', 'NODE_OPTIONS', 'BASH_ENV', 'GIT_SSH_COMMAND'])
      expect((await ask(setting({ [name]: 'x' })))?.message, name).to.include(`set ${name} for a command`);
    const later = Step.fromPartial({
      action: { $case: 'preflight', value: { later: [setting({}), setting({ PATH: '/tmp' })] } },
    });
    expect((await ask(later))?.facts).to.deep.equal({ variable: 'PATH' });
    const probing = (environment: Record<string, string>) =>
      aStep({
        $case: 'health',
        value: {
          probes: [
            { look: { $case: 'command', value: { argv: ['npm', 'ci'], environment } } },
            { look: { $case: 'tcp', value: { host: 'localhost', port: 1 } } },
          ],
        },
      });
    expect((await ask(probing({ PATH: '/tmp' })))?.code).to.equal('policy_refused');
    expect(await ask(probing({}))).to.equal(null);
    const harmless = Step.fromPartial({ action: { $case: 'preflight', value: { later: [setting({})] } } });
    expect(await ask(harmless)).to.equal(null);
  });

  it('judges a fetch by the repository of the target where the step names none; preflight says that there is none', async () => {
    const fetch = aStep({ $case: 'fetch', value: { repository: '', commit: '', attempts: 1 } });
    const allowed = policy({ paths: ['/srv'], users: ['*'], repositories: ['https://github.com/acme/*'] });
    const plain = aTarget('/srv', { repository: 'https://elsewhere.example.com/a.git' });
    expect((await checkPolicy(plain, [fetch], allowed))?.message).to.include('elsewhere.example.com');
    const checkout = aTarget('/srv', { repository: '', layout: 'LAYOUT_IN_PLACE' });
    expect(await checkPolicy(checkout, [fetch], allowed)).to.equal(null);
  });

  it('is one reason with every line to add and the one command that adds them', async () => {
    const refused = await checkPolicy(target, steps, policy({}), root);
    expect(refused?.code).to.equal('policy_refused');
    expect(refused?.hint).to.equal(
      'sudo fraisier agent allow --path /srv/app --path /etc/checkout/env --repository https://github.com/acme/a.git' +
        " --unit checkout.service --user checkout --command 'npm ci' --command \"/bin/sh -c 'make all'\"" +
        ' --user builder --command status --command up --command kick',
    );
    expect(refused?.message).to.match(
      /^\/etc\/fraisier\/policy\.yaml does not allow the path \/srv\/app \(add the line "- \/srv\/app" under "paths:"\), /,
    );
    expect(refused?.message).to.include(
      'running commands as checkout (add the line "- checkout" under "users:")',
    );
    expect(refused?.facts).to.include({ policy: '/etc/fraisier/policy.yaml', refused_1: 'paths: /srv/app' });
  });

  it('is nothing when all of it is listed', async () => {
    const allowed = policy({
      repositories: ['https://github.com/acme/*'],
      paths: ['/srv/app', '/etc/checkout'],
      units: ['checkout.service'],
      users: ['checkout', 'builder'],
      commands: ['npm ci', "/bin/sh -c 'make all'", 'status', 'up', 'kick'],
    });
    expect(await checkPolicy(target, steps, allowed, root)).to.equal(null);
  });

  it('asks for the socket as for the service, of the target and of the restart', async () => {
    const behind = aTarget('/srv', { systemdService: 'checkout', systemdSocket: 'checkout.socket' });
    const how = { $case: 'systemdService', value: 'checkout' } as const;
    const again = aStep({ $case: 'restart', value: { how, systemdSocket: 'other.socket' } });
    const listed = policy({ paths: ['/srv'], units: ['checkout'] });
    const refused = await checkPolicy(behind, [again], listed, carol);
    expect(refused?.facts).to.include({
      refused_1: 'units: checkout.socket',
      refused_2: 'units: other.socket',
    });
    const allowed = { ...listed, units: ['checkout', 'checkout.socket', 'other.socket'] };
    expect(await checkPolicy(behind, [again], allowed, carol)).to.equal(null);
  });

  it('asks for nothing that the target does not have', async () => {
    expect(await checkPolicy(aTarget('/srv'), [], policy({ paths: ['/srv/app'] }))).to.equal(null);
  });

  it('names the file where it is not the usual one, and sudo where root owns it', async () => {
    const own = await checkPolicy(aTarget('/srv'), [], policy({ file: '/home/carol/my policy.yaml' }));
    expect(own?.hint).to.equal("fraisier agent allow --policy '/home/carol/my policy.yaml' --path /srv/app");
    const other = await checkPolicy(aTarget('/srv'), [], policy({ file: '/etc/other.yaml' }));
    expect(other?.hint).to.equal('sudo fraisier agent allow --policy /etc/other.yaml --path /srv/app');
  });

  it('quotes a line that YAML would read otherwise', async () => {
    const step = aStep({
      $case: 'command',
      value: { argv: ['echo', 'a: b'], shell: '', user: '', commit: '' },
    });
    const refused = await checkPolicy(aTarget('/srv'), [step], policy({ paths: ['/srv'], users: ['root'] }));
    expect(refused?.message).to.include(`add the line "- "echo 'a: b'"" under`);
  });

  it('follows links on this disk: a path that leads out of what is listed is refused', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'allowed'));
      await mkdir(join(folder, 'outside'));
      await symlink(join(folder, 'outside'), join(folder, 'allowed/app'));
      const within = policy({ paths: [join(folder, 'allowed')] });
      const refused = await checkPolicy(aTarget(join(folder, 'allowed')), [], within);
      expect(refused?.message).to.include(`the path ${join(folder, 'outside')} `);
      expect(await checkPolicy(aTarget(join(folder, 'allowed/new')), [], within)).to.equal(null);
    }));

  it('follows links also inside the folder of the app', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'app'));
      await symlink('/etc', join(folder, 'app/releases'));
      const refused = await checkPolicy(aTarget(folder), [], policy({ paths: [folder] }));
      expect(refused?.message).to.include('the path /etc ');
    }));

  it('lets no commit say what commands run with: the environment_file is the host’s own', () =>
    withFolder(async (folder) => {
      const app = join(folder, 'app');
      await mkdir(join(app, 'releases/x'), { recursive: true });
      await symlink(join(app, 'releases/x/env'), join(folder, 'link'));
      await symlink(join(app, 'releases'), join(folder, 'other'));
      const judged = async (environmentFile: string) =>
        checkPolicy(aTarget(folder, { environmentFile }), [], policy({ paths: [folder] }));
      const inTree = [join(app, 'releases/x/env'), join(app, 'current/.env'), join(folder, 'other/x/env')];
      for (const file of inTree) {
        const refused = await judged(file);
        expect(refused?.message).to.equal(
          `the environment_file ${file} lies in the tree of a release, so a commit would say what commands run with`,
        );
        expect(refused?.hint).to.equal(
          `move it to a folder that no release brings, such as /etc/checkout/env or ${app}/shared, and name that in fraises.yaml`,
        );
      }
      await writeFile(join(app, 'releases/x/env'), '');
      expect((await judged(join(folder, 'link')))?.code).to.equal('policy_refused');
      for (const file of [join(app, 'shared/.env'), join(app, 'releases.env'), join(folder, 'env')])
        expect(await judged(file)).to.equal(null);
      execFileSync('git', ['init', '--quiet', app]);
      execFileSync('git', ['-C', app, 'remote', 'add', 'origin', 'file:///x']);
      const listed = policy({ paths: [folder], repositories: ['file:///x'] });
      const inPlace = aTarget(folder, { environmentFile: join(app, '.env'), layout: 'LAYOUT_IN_PLACE' });
      expect(await checkPolicy(inPlace, [], listed)).to.equal(null);
    }));

  it('asks for every command of a migration: further ones, backups, and a way down whose end is open', async () => {
    const target = aTarget('/srv');
    const refusedBy = async (action: AnAction, commands: string[]): Promise<string> => {
      const allowed = policy({ paths: ['/srv'], users: ['root'], commands });
      return (await checkPolicy(target, [aStep(action)], allowed, root))?.hint ?? 'allowed';
    };
    const status: AnAction = {
      $case: 'migrationStatus',
      value: { argv: ['a', 'b'], further: [{ words: ['c', 'd'] }] },
    };
    expect(await refusedBy(status, ['a b'])).to.equal(
      'sudo fraisier agent allow --command "c d"'.replace(/"/g, "'"),
    );
    expect(await refusedBy(status, ['a b', 'c *'])).to.equal('allowed');
    const backup: AnAction = {
      $case: 'backup',
      value: { command: { argv: ['dump'] }, verify: { argv: ['check'] } },
    };
    expect(await refusedBy(backup, ['dump'])).to.contain('--command check');
    expect(await refusedBy({ $case: 'backup', value: { command: { argv: ['dump'] } } }, ['dump'])).to.equal(
      'allowed',
    );
    const down = (anyArguments: number): AnAction => ({
      $case: 'migrate',
      value: { argv: ['fraisier', 'sql', 'down'], anyArguments },
    });
    expect(await refusedBy(down(0), [])).to.contain(`--command 'fraisier sql down'`);
    expect(await refusedBy(down(1), ['fraisier sql down 001_a'])).to.contain(
      `--command 'fraisier sql down *'`,
    );
    expect(await refusedBy(down(1), ['fraisier sql down *'])).to.equal('allowed');
    expect(await refusedBy(down(2), ['fraisier sql **'])).to.equal('allowed');
  });

  it('is content with a listed path that is itself a link', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'disk'));
      await symlink(join(folder, 'disk'), join(folder, 'srv'));
      await mkdir(join(folder, 'disk/env.d'));
      const target = aTarget(join(folder, 'srv'), { environmentFile: join(folder, 'srv/env.d/env') });
      expect(await checkPolicy(target, [], policy({ paths: [join(folder, 'srv')] }))).to.equal(null);
    }));
});
