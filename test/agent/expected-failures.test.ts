import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StepEnd } from '../../agent/steps/step.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import { freePorts } from '../support/free-ports.js';
import { until } from '../support/until.js';
import { withFolder } from './exec/a-spec.js';
import { fetchOf, PREFLIGHT, stageOf, withCheckout } from './steps/a-checkout.js';
import { aRepository } from './steps/a-repository.js';
import type { TestRepository } from './steps/a-repository.js';
import { aHost, aPolicy, aSystemd } from './steps/a-step-context.js';
import type { TestHost } from './steps/a-step-context.js';
import { privateGitHost } from './steps/private-git-host.js';

/** What a person reads when something goes wrong that is expected to: word by word. A change here is one they see. */
describe('an expected failure of the code on the host says', () => {
  const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

  it('that the commit is missing', () =>
    withDaemon(async (address, folder) => {
      aRepository(folder, 'shop').commit({ a: '1' });
      const host = await aHost(folder, { repository: `${address}/shop` });
      expectSaid(await host.run(fetchOf(`${address}/shop`, COMMIT)), {
        code: 'commit_not_found',
        message: `the commit ${COMMIT} is on no branch or tag of ${address}/shop; was the branch force-pushed or deleted?`,
        hint: 'deploy a commit that is there',
      });
    }));

  it('that the branch was force-pushed', () =>
    withDaemon(async (address, folder) => {
      const origin = aRepository(folder, 'shop');
      origin.commit({ a: '1' });
      const pushed = origin.commit({ a: '2' });
      origin.git('reset', '--quiet', '--hard', 'HEAD~1');
      origin.git('reflog', 'expire', '--expire=now', '--all');
      origin.git('gc', '--quiet', '--prune=now');
      const host = await aHost(folder, { repository: `${address}/shop` });
      expectSaid(await host.run(fetchOf(`${address}/shop`, pushed, { ref: 'refs/heads/main' })), {
        code: 'commit_not_found',
        message: `the commit ${pushed} is on no branch or tag of ${address}/shop (it was seen on refs/heads/main); was the branch force-pushed or deleted?`,
        hint: 'deploy a commit that is there',
      });
    }));

  it('that the clone is refused by the server', () =>
    withDaemon(async (address, folder) => {
      const host = await aHost(folder, { repository: `${address}/secret` });
      expectSaid(await host.run(fetchOf(`${address}/secret`, COMMIT)), {
        code: 'fetch_failed',
        message: `git could not fetch from ${address}/secret: fatal: remote error: access denied or repository not exported: /secret`,
        hint: 'check on the host that this user can reach the repository: git ls-remote',
      });
    }));

  it('that nobody answers', () =>
    withFolder(async (folder) => {
      const url = `git://127.0.0.1:${await onePort()}/shop`;
      const host = await aHost(folder, { repository: url });
      expectSaid(await host.run(fetchOf(url, COMMIT, { attempts: 2 })), {
        code: 'fetch_failed',
        message: `git could not fetch from ${url}: fatal: unable to connect to 127.0.0.1:`,
        hint: 'check on the host that this user can reach the repository: git ls-remote',
      });
      expect(
        host.notes.map(({ code }) => code),
        'tried again',
      ).to.deep.equal(['fetch_retry']);
    }));

  it('that the host wants a login', () =>
    withFolder((folder) =>
      privateGitHost(folder, 'right', async (address) => {
        const url = `${address}/shop/.git`;
        const host = await hostFor(folder, url);
        expectSaid(await host.run(fetchOf(url, COMMIT, { attempts: 3 })), {
          code: 'fetch_failed',
          message: `${url} asks for a login (401), and this host has none for it`,
          hint: `fraisier agent allow --policy ${folder}/policy.yaml --repository ${url} --token-file FILE`,
        });
        expect(host.notes, 'not tried again').to.deep.equal([]);
      }),
    ));

  it('that the token is not accepted', () =>
    withFolder((folder) =>
      privateGitHost(folder, 'right', async (address) => {
        const url = `${address}/shop/.git`;
        const file = join(folder, 'token');
        await writeFile(file, 'wrong\n', { mode: 0o600 });
        const host = await hostFor(folder, url, file);
        expectSaid(await host.run(fetchOf(url, COMMIT, { attempts: 3 })), {
          code: 'fetch_failed',
          message: `${url} did not accept the token in ${file} (401)`,
          hint: `put a valid one there: sudo install -m 600 /dev/stdin ${file}`,
        });
        expect(host.notes, 'not tried again').to.deep.equal([]);
      }),
    ));

  it('that the token may not read the repository', () =>
    withFolder((folder) =>
      privateGitHost(
        folder,
        'right',
        async (address) => {
          const url = `${address}/shop/.git`;
          const file = join(folder, 'token');
          await writeFile(file, 'right\n', { mode: 0o600 });
          const host = await hostFor(folder, url, file);
          expectSaid(await host.run(fetchOf(url, COMMIT)), {
            code: 'fetch_failed',
            message: `${url} may not be read with the token in ${file} (403)`,
            hint: 'give the token, or this host, the right to read the repository',
          });
        },
        { status: 403 },
      ),
    ));

  it('that the token can be read by others', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'token');
      await writeFile(file, 'right\n', { mode: 0o644 });
      const url = 'https://git.example.com/shop.git';
      const host = await hostFor(folder, url, file);
      expectSaid(await host.run(fetchOf(url, COMMIT)), {
        code: 'policy_refused',
        message: `the token ${file} can be used by others than its owner: it is not used`,
        hint: `sudo chmod 600 ${file}`,
      });
    }));

  it('that the tree is dirty, with its files', () =>
    withCheckout(async ({ host, app }) => {
      await writeFile(join(app, 'a'), 'changed');
      await rm(join(app, '.gitignore'));
      expectSaid(await host.run(PREFLIGHT), {
        code: 'dirty_tree',
        message: `the checkout ${app} has changes that are not committed: .gitignore, a`,
        hint: `on the host: git -C ${app} status; commit, stash or remove them, then deploy again`,
      });
    }));

  it('that files are in the way of the commit', () =>
    withCheckout(async ({ host, app, origin }) => {
      const commit = origin.commit({ 'config.json': '{}' });
      await writeFile(join(app, 'config.json'), 'mine');
      expect((await host.run(fetchOf('', commit))).outcome).to.equal(Outcome.SUCCEEDED);
      expectSaid(await host.run(stageOf(commit)), {
        code: 'dirty_tree',
        message: `the checkout ${app} has files that are not tracked where ${commit.slice(0, 12)} has its own: config.json`,
        hint: `on the host: git -C ${app} status; commit, stash or remove them, then deploy again`,
      });
    }));

  it('that the sub-folder is not in the commit', () =>
    withFolder(async (folder) => {
      const origin = aRepository(folder);
      const commit = origin.commit({ 'services/other/a': '1', 'services/link': '-> other' });
      const host = await aHost(folder, { repository: origin.url });
      await host.run(fetchOf(origin.url, commit));
      for (const root of ['services/checkout', 'services/link', 'services/other/a', '../x']) {
        expectSaid(await host.run(stageOf(commit), { target: { ...host.target, root } }), {
          code: 'stage_failed',
          message: `the commit ${commit} has no folder ${root}, in which this fraise lives`,
          hint: 'correct `root` in the configuration, or deploy a commit that has it',
        });
      }
    }));

  it('that the unit is wrong', () =>
    withFolder(async (folder) => {
      const policy = aPolicy(folder, { units: ['shop'] });
      const host = await aHost(folder, { systemdService: 'shop' }, { policy, systemd: aSystemd({}) });
      expectSaid(await host.run(PREFLIGHT), {
        code: 'unknown_unit',
        message: 'there is no unit shop.service on this host (systemd says not-found)',
        hint: 'put it into /etc/systemd/system/shop.service, then: sudo systemctl daemon-reload',
      });
    }));

  function hostFor(folder: string, url: string, tokenFile?: string): Promise<TestHost> {
    const credentials = tokenFile === undefined ? {} : { credentials: [{ url, tokenFile }] };
    return aHost(
      folder,
      { repository: url },
      { policy: aPolicy(folder, { repositories: [url], ...credentials }) },
    );
  }
});

/** The message up to where git's own words depend on the machine. */
function expectSaid(
  end: StepEnd,
  said: { readonly code: string; readonly message: string; readonly hint: string },
): void {
  if (end.outcome === Outcome.SUCCEEDED)
    throw new Error(`it succeeded, and should have said: ${said.message}`);
  const { code, message, hint } = end.reason;
  expect({
    code,
    message: said.message.endsWith(':') ? message.slice(0, said.message.length) : message,
    hint,
  }).to.deep.equal(said);
}

/** A real `git daemon` on loopback that serves what is marked for it; `secret` is not. */
async function withDaemon(use: (address: string, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const shop: TestRepository = aRepository(folder, 'shop');
    aRepository(folder, 'secret');
    await writeFile(join(shop.folder, '.git', 'git-daemon-export-ok'), '');
    const port = await onePort();
    const flags = ['--reuseaddr', `--base-path=${folder}`, '--listen=127.0.0.1', `--port=${port}`];
    const daemon = spawn('git', ['-c', 'safe.directory=*', 'daemon', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const ended = new Promise((done) => daemon.on('exit', done));
    try {
      await until('git daemon to answer', () => answers(port));
      await use(`git://127.0.0.1:${port}`, folder);
    } finally {
      if (daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGKILL');
      await ended;
    }
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => done(true)).on('error', () => done(false));
    socket.on('connect', () => socket.destroy());
  });
}

async function onePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
