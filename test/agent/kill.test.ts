import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { MigrationStatus, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import { systemDisk } from '../../agent/disk.js';
import { IdentityStore } from '../../agent/identity.js';
import { until } from '../support/until.js';
import { aTestAuthority, type TestAuthority } from './authority.js';
import { aCommand, aMigration, anAssignment, COMMIT, told, withFolder } from './builders.js';
import { TestController } from './controller.js';
import { tlsOf } from './tls.js';

const PROGRAM = fileURLToPath(new URL('agent-program.js', import.meta.url));

/** Tells the counter that it runs, waits for the gate, and says that it is done. */
const SCRIPT =
  'echo run >> counter; echo begun; while [ ! -e gate ]; do sleep 0.02; done; echo done; echo \'{"revision":null,"pending":[]}\'';
const ARGV = ['/bin/sh', '-c', SCRIPT];

const KINDS = {
  'a repeatable command': aCommand('step', ARGV),
  'a command that must not be repeated': aCommand('step', ARGV, { repeatable: false }),
  'a migration': aMigration('step', ARGV),
  'a step that is repeated from its start': {
    ...aCommand('step'),
    action: {
      $case: 'migrationStatus',
      value: MigrationStatus.fromPartial({ argv: ARGV, commit: COMMIT }),
    },
  },
} as const satisfies Record<string, Step>;

/** When the agent is killed: with which event in the record, or once the command says that it runs. */
const MOMENTS = ['before the step', 'inside the step', 'after the step'] as const;

describe('the agent, killed with SIGKILL (row 2)', () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await aTestAuthority();
  });

  for (const [kind, step] of Object.entries(KINDS)) {
    for (const moment of MOMENTS) {
      it(`${moment}: ${kind} ends right after the next start`, () =>
        onRealHost(authority, async ({ controller, folder, start }) => {
          const release = join(folder, 'app', 'releases', COMMIT);
          const first = await start();
          if (moment === 'before the step')
            controller.cutAt = (_, message) => message === 'runStarted' && first.kill('SIGKILL');
          if (moment === 'after the step') await writeFile(join(release, 'gate'), '');
          controller.assign(assignmentIn(folder, step));
          if (moment === 'inside the step')
            await until('the command to run', async () => (await runsOf(release)) > 0);
          if (moment === 'after the step')
            await until('its end', () =>
              told(controller.run().events).some((word) => word.startsWith('-step')),
            );
          first.kill('SIGKILL');
          await gone(first);
          controller.cutAt = () => false;
          const second = await start();
          await until('the second to be connected', () => controller.hellos.length >= 2);
          await writeFile(join(release, 'gate'), '');
          await until('the end of the run', () =>
            told(controller.run().events).at(-1)?.startsWith('run succeeded'),
          );
          if (!step.repeatable) expect(await runsOf(release)).to.equal(1);
          expect(controller.problems).to.deep.equal([]);
          if (kind !== 'a step that is repeated from its start') {
            expect(controller.run().logs.get(lastAttempt(controller))?.toString()).to.match(/^begun\ndone\n/);
          }
          second.kill('SIGTERM');
          expect(await gone(second)).to.equal(0);
        }));
    }
  }

  it('a command of an agent that is stopped with SIGTERM goes on, and is taken up', () =>
    onRealHost(authority, async ({ controller, folder, start }) => {
      const release = join(folder, 'app', 'releases', COMMIT);
      const first = await start();
      controller.assign(assignmentIn(folder, aMigration('step', ARGV)));
      await until('the command to run', async () => (await runsOf(release)) > 0);
      first.kill('SIGTERM');
      expect(await gone(first)).to.equal(0);
      await writeFile(join(release, 'gate'), '');
      const second = await start();
      await until('the end of the run', () => told(controller.run().events).at(-1) === 'run succeeded');
      expect(told(controller.run().events)).to.include('.step#1 adopted');
      expect(await runsOf(release)).to.equal(1);
      second.kill('SIGTERM');
      await gone(second);
    }));
});

interface RealHost {
  readonly folder: string;
  readonly controller: TestController;
  readonly start: () => Promise<ChildProcess>;
}

async function onRealHost(authority: TestAuthority, work: (host: RealHost) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const controller = new TestController(await tlsOf(authority));
    await controller.start();
    const [state, policy] = [join(folder, 'state'), join(folder, 'policy.yaml')];
    await mkdir(join(folder, 'app', 'releases', COMMIT), { recursive: true });
    await mkdir(state);
    await writeFile(
      policy,
      `paths: [${folder}]\ncommands: ["/bin/sh **"]\nusers: [${userInfo().username}]\n`,
      { mode: 0o644 },
    );
    const identities = new IdentityStore(systemDisk, state);
    await identities.save(await authority.identity());
    await identities.setControllers([controller.address]);
    const agents: ChildProcess[] = [];
    const start = async (): Promise<ChildProcess> => {
      const before = controller.hellos.length;
      const agent = spawn(process.execPath, [PROGRAM, state, policy], {
        stdio: 'ignore',
        env: { PATH: process.env['PATH'] },
      });
      agents.push(agent);
      await until('the agent to be connected', () => controller.hellos.length > before);
      return agent;
    };
    try {
      await work({ folder, controller, start });
    } finally {
      await writeFile(join(folder, 'app', 'releases', COMMIT, 'gate'), '');
      for (const agent of agents) agent.kill('SIGKILL');
      await Promise.all(agents.map(gone));
      await controller.stop();
    }
  });
}

function assignmentIn(folder: string, step: Step) {
  const { target } = anAssignment([]);
  return anAssignment([step], { target: target && { ...target, appPath: join(folder, 'app') } });
}

/** How often the command began. */
async function runsOf(release: string): Promise<number> {
  const text = await readFile(join(release, 'counter'), 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}

function lastAttempt(controller: TestController): string {
  const attempts = controller
    .run()
    .events.flatMap(({ event }) => (event?.$case === 'stepStarted' ? [event.value.attempt] : []));
  return `step.${Math.max(...attempts)}`;
}

async function gone(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
