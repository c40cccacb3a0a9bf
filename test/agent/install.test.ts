import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { FraisierError } from '../../proto/error-codes.js';
import { systemDisk } from '../../agent/disk.js';
import { IdentityStore } from '../../agent/identity.js';
import { installAgent, type InstallPorts } from '../../agent/install.js';
import { runAgent } from '../../agent/main.js';
import { aTestAuthority } from './authority.js';
import { withFolder } from './builders.js';
import { SILENT } from './host.js';
import { systemClock } from '../../agent/clock.js';

describe('installing an agent', () => {
  it('widens the policy, writes the unit, starts it and says so', () =>
    onMachine({}, async ({ folder, ports, asked }) => {
      await enrolled(folder);
      const done = await installAgent(
        { ...places(folder), controllers: ['ctl'], paths: ['/srv/shop'] },
        ports,
      );
      expect(done).to.deep.equal([
        `allowed paths in ${join(folder, 'policy.yaml')}: /srv/shop`,
        'enrolled already',
        `wrote ${join(folder, 'units', 'fraisier-agent.service')}`,
        'enabled and started fraisier-agent.service; it is active',
      ]);
      expect(asked).to.deep.equal([
        'daemon-reload',
        'enable fraisier-agent.service',
        'restart fraisier-agent.service',
        'show --property=ActiveState,NRestarts fraisier-agent.service',
      ]);
      const unit = await readFile(join(folder, 'units', 'fraisier-agent.service'), 'utf8');
      expect(unit).to.contain('FRAISIER_CONTROLLER=ctl').and.not.contain('frj_');
    }));

  it('needs root, and systemd', async () => {
    await onMachine({ root: false }, async ({ folder, ports }) => {
      expect((await refusal(installAgent(places(folder), ports))).message).to.equal(
        'installing the agent needs root',
      );
    });
    await onMachine({ systemd: false }, async ({ folder, ports }) => {
      expect((await refusal(installAgent(places(folder), ports))).message).to.contain(
        'systemd is not running',
      );
    });
  });

  it('wants a token of a host that is not enrolled, and a controller to take it', () =>
    onMachine({}, async ({ folder, ports }) => {
      expect((await refusal(installAgent(places(folder), ports))).message).to.equal(
        'this agent is not enrolled',
      );
      const environment = { FRAISIER_JOIN_TOKEN: 'frj_x' };
      expect((await refusal(installAgent(places(folder), { ...ports, environment }))).reason.code).to.equal(
        'usage',
      );
    }));

  it('says which systemctl failed, and when the unit does not stay up', async () => {
    await onMachine({ fails: 'enable' }, async ({ folder, ports }) => {
      await enrolled(folder);
      expect((await refusal(installAgent(places(folder), ports))).message).to.equal(
        'systemctl enable fraisier-agent.service failed: no such unit',
      );
    });
    await onMachine({ state: 'ActiveState=activating\nNRestarts=2\n' }, async ({ folder, ports }) => {
      await enrolled(folder);
      const error = await refusal(installAgent(places(folder), ports));
      expect(error.message).to.equal('fraisier-agent.service was started and did not stay up');
      expect(error.reason.hint).to.equal('journalctl -u fraisier-agent.service');
    });
  });
});

describe('running an agent', () => {
  it('is refused while it is not enrolled, and frees the state folder', () =>
    withFolder(async (folder) => {
      for (let times = 0; times < 2; times += 1) {
        const error = await refusal(runAgent(places(folder), { environment: {}, logger: SILENT }));
        expect(error.message).to.equal('this agent is not enrolled');
      }
    }));

  it('ends with 0 when it is told to stop, connected or not, and uses no token twice', () =>
    withFolder(async (folder) => {
      await enrolled(join(folder));
      const stop = new AbortController();
      const environment = { FRAISIER_JOIN_TOKEN: 'frj_x', FRAISIER_CONTROLLER: '127.0.0.1:1' };
      const running = runAgent(places(folder), { environment, logger: SILENT, signal: stop.signal });
      await systemClock.sleep(100, new AbortController().signal);
      stop.abort();
      expect(await running).to.equal(0);
    }));
});

interface Machine {
  readonly folder: string;
  readonly ports: InstallPorts;
  readonly asked: string[];
}

async function onMachine(
  given: { root?: boolean; systemd?: boolean; fails?: string; state?: string },
  work: (machine: Machine) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const asked: string[] = [];
    const ports: InstallPorts = {
      root: given.root ?? true,
      systemd: given.systemd ?? true,
      unitFolder: join(folder, 'units'),
      systemctl: (...args) => {
        asked.push(args.join(' '));
        const stdout = args[0] === 'show' ? (given.state ?? 'ActiveState=active\nNRestarts=0\n') : '';
        return Promise.resolve(
          args[0] === given.fails
            ? { exitCode: 1, stdout: '', stderr: 'no such unit\n' }
            : { exitCode: 0, stdout, stderr: '' },
        );
      },
      clock: { ...systemClock, sleep: () => Promise.resolve() },
      environment: {},
      program: ['/usr/bin/node', '/opt/fraisier/bin.js'],
    };
    await work({ folder, ports, asked });
  });
}

function places(folder: string): { state: string; policy: string } {
  return { state: join(folder, 'state'), policy: join(folder, 'policy.yaml') };
}

async function enrolled(folder: string): Promise<void> {
  const identity = await (await aTestAuthority()).identity();
  await new IdentityStore(systemDisk, join(folder, 'state')).save(identity);
}

async function refusal(work: Promise<unknown>): Promise<FraisierError> {
  const error = await work.then(
    () => expect.fail('it was not refused'),
    (why: unknown) => why,
  );
  if (error instanceof FraisierError) return error;
  throw error;
}
