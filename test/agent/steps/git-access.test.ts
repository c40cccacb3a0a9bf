import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { mustBePrivate } from '../../../agent/private-file.js';
import type { RepositoryCredential } from '../../../agent/repository-entry.js';
import { refuseAddress } from '../../../agent/steps/git.js';
import { accessTo, refusedByHost } from '../../../agent/steps/git-access.js';
import type { GitAccess } from '../../../agent/steps/git-access.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { withFolder } from '../exec/a-spec.js';
import { fetchOf, reasonOf } from './a-checkout.js';
import { aRepository } from './a-repository.js';
import { aHost, aPolicy } from './a-step-context.js';
import { privateGitHost } from './private-git-host.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';
const TOKEN = 'a-token-that-nobody-may-see';

async function refusal(doing: Promise<unknown>): Promise<FraisierError> {
  const error = await doing.catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(FraisierError);
  return error as FraisierError;
}

async function withSecret(use: (folder: string, file: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const file = join(folder, 'secret');
    await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
    await use(folder, file);
  });
}

const access = (
  folder: string,
  credential: RepositoryCredential,
  repository = credential.url,
): Promise<GitAccess> =>
  accessTo(repository, {
    stateFolder: join(folder, 'state'),
    policy: aPolicy(folder, { credentials: [credential] }),
  });

describe('how git gets at a private repository', () => {
  it('is by the key, and only to hosts that are known', () =>
    withSecret(async (folder, file) => {
      const found = await access(
        folder,
        { url: 'ssh://git@example.com/*', sshKey: file, knownHosts: '/etc/my known' },
        'ssh://git@example.com/a.git',
      );
      expect(found.settings).to.deep.equal([]);
      expect(found.environment).to.deep.equal({
        GIT_SSH_COMMAND: `ssh -i ${file} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile='"/etc/my known"'`,
      });
    }));

  it('is by the key alone, where the hosts are known to ssh', () =>
    withSecret(async (folder, file) => {
      const found = await access(folder, { url: 'git@example.com:a.git', sshKey: file });
      expect(found.environment['GIT_SSH_COMMAND']).to.match(/StrictHostKeyChecking=yes$/);
      for (const plain of ['git@example.com:a.git', '/srv/a.git'])
        expect(refuseAddress(plain)).to.equal(null);
    }));

  it('is with the host keys alone, where only those are told', () =>
    withFolder(async (folder) => {
      const found = await access(folder, { url: 'git@example.com:a.git', knownHosts: '/etc/known' });
      expect(found.environment).to.deep.equal({
        GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/etc/known',
      });
    }));

  it('is by the token, read by a program of ours from its file', () =>
    withSecret(async (folder, file) => {
      const found = await access(folder, {
        url: 'https://example.com:8443/a.git',
        tokenFile: file,
        username: 'me',
      });
      expect(found.environment).to.deep.equal({
        GIT_ASKPASS: join(folder, 'state', 'git-askpass'),
        FRAISIER_GIT_HOST: 'example.com:8443',
        FRAISIER_GIT_USERNAME: 'me',
        FRAISIER_GIT_TOKEN_FILE: file,
      });
      expect(found.settings).to.include('credential.helper=');
    }));

  it('is nothing special where the policy says nothing of it', () =>
    withFolder(async (folder) => {
      expect(
        await access(folder, { url: 'https://example.com/a.git', sshKey: '/x' }, 'https://example.com/b.git'),
      ).to.deep.include({
        settings: [],
        environment: {},
        credential: null,
      });
    }));

  it('is never a token in clear', () =>
    withSecret(async (folder, file) => {
      for (const url of [
        'http://example.com/a.git',
        'git@example.com:a.git',
        'file:///srv/a.git',
        'http://127.0.0.1.example.com/a',
      ]) {
        const error = await refusal(access(folder, { url, tokenFile: file }));
        expect([error.reason.code, error.message]).to.deep.equal([
          'policy_refused',
          `the token for ${url} is only ever sent over https`,
        ]);
      }
    }));
});

describe('a key or token', () => {
  it('must be there', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'none');
      const key = await refusal(access(folder, { url: 'git@example.com:a.git', sshKey: file }));
      expect([key.message, key.reason.hint]).to.deep.equal([
        `the SSH key ${file} is not there`,
        `sudo ssh-keygen -q -t ed25519 -N '' -f ${file}`,
      ]);
      const token = await refusal(access(folder, { url: 'https://example.com/a.git', tokenFile: file }));
      expect([token.message, token.reason.hint]).to.deep.equal([
        `the token ${file} is not there`,
        `sudo install -m 600 /dev/stdin ${file}, and type the token`,
      ]);
    }));

  it('must be private: others may not even read it', () =>
    withSecret(async (_, file) => {
      for (const mode of [0o640, 0o604, 0o620, 0o700 | 0o001]) {
        await chmod(file, mode);
        const error = await refusal(mustBePrivate(file, 'SSH key'));
        expect([error.reason.code, error.message, error.reason.hint]).to.deep.equal([
          'policy_refused',
          `the SSH key ${file} can be used by others than its owner: it is not used`,
          `sudo chmod 600 ${file}`,
        ]);
      }
      await chmod(file, 0o400);
      await mustBePrivate(file, 'token');
    }));

  it('must belong to root or to the user of the agent', () =>
    withSecret(async (_, file) => {
      const uid = process.getuid?.() === 0 ? 65534 : process.getuid?.();
      if (process.getuid?.() === 0) await chown(file, 65534, 65534);
      const error = await refusal(
        mustBePrivate(file, 'token', { name: 'agent', uid: 4242, gid: 1, home: '/' }),
      );
      expect([error.message, error.reason.hint]).to.deep.equal([
        `the token ${file} belongs to uid ${uid}, not to agent: it is not used`,
        `sudo chown agent ${file}`,
      ]);
    }));

  it('must be a file that can be read', () =>
    withFolder(async (folder) => {
      expect((await refusal(mustBePrivate(folder, 'token'))).message).to.equal(
        `the token ${folder} is not a file`,
      );
      await writeFile(join(folder, 'file'), '');
      const below = join(folder, 'file', 'below');
      const own = { name: 'agent', uid: 0, gid: 0, home: '/' };
      const error = await refusal(mustBePrivate(below, 'SSH key', own));
      expect([error.message, error.reason.hint]).to.deep.equal([
        `the SSH key ${below} cannot be read by agent, whom the agent runs as`,
        `sudo chown agent ${below}`,
      ]);
    }));
});

describe('a private repository over http', () => {
  it('is fetched with the token of the host, which is in no argument, variable, log or file of ours', () =>
    withSecret(async (folder, file) => {
      const origin = aRepository(folder);
      const commit = origin.commit({ a: '1' });
      await privateGitHost(folder, TOKEN, async (address) => {
        const url = `${address}/origin/.git`;
        const credentials = [{ url, tokenFile: file }];
        const host = await aHost(
          folder,
          { repository: url },
          { policy: aPolicy(folder, { repositories: [url], credentials }) },
        );
        expect(reasonOf(await host.run(fetchOf(url, commit)))).to.equal('');
        expect(JSON.stringify([host.commands, host.log, host.notes])).to.not.include(TOKEN);
        expect(await readFile(join(host.stateFolder, 'git-askpass'), 'utf8')).to.not.include(TOKEN);
      });
    }));

  it('is not sent elsewhere when the host says that the repository has moved', () =>
    withSecret(async (folder, file) => {
      await privateGitHost(folder, TOKEN, async (elsewhere, asked) => {
        await privateGitHost(
          folder,
          TOKEN,
          async (address) => {
            const url = `${address}/origin/.git`;
            const policy = aPolicy(folder, { repositories: [url], credentials: [{ url, tokenFile: file }] });
            const host = await aHost(folder, { repository: url }, { policy });
            expect(reasonOf(await host.run(fetchOf(url, COMMIT)))).to.equal(
              `fetch_failed: ${url} did not accept the token in ${file} (401)`,
            );
            expect(asked.length).to.be.greaterThan(0);
            expect(asked.join()).to.equal(asked.map(() => '').join());
          },
          { movedTo: elsewhere },
        );
      });
    }));
});

describe('what git was told by the other side', () => {
  const plain: GitAccess = {
    settings: [],
    environment: {},
    credential: null,
    allow: (flags) => `fraisier agent allow ${flags}`,
  };
  const SSH = 'ssh://git@git.example.com:2222/a.git';
  const keyed = { ...plain, credential: { url: SSH, sshKey: '/k', knownHosts: '/h' } };
  const said: readonly [
    what: string,
    repository: string,
    output: string,
    access: GitAccess,
    message: string,
    hint: string,
  ][] = [
    [
      'a host that is not known',
      SSH,
      'Host key verification failed.\r\nfatal: Could not read from remote repository.',
      keyed,
      'the host key of git.example.com is not known on this host, so git did not connect',
      'compare its fingerprint, then: ssh-keyscan -p 2222 git.example.com | sudo tee -a /h',
    ],
    [
      'a host that is not known, without a policy for it',
      'git@h:a',
      'No ED25519 host key is known for h and you have requested strict checking.',
      plain,
      'the host key of h is not known on this host, so git did not connect',
      'compare its fingerprint, then: ssh-keyscan h | sudo tee -a /etc/ssh/ssh_known_hosts',
    ],
    [
      'a host with another key',
      SSH,
      '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.',
      keyed,
      'the host key of git.example.com is not the one that this host knows: it was replaced, or somebody is in between',
      "once you know that it was replaced: ssh-keygen -R '[git.example.com]:2222' -f /h",
    ],
    [
      'a host with another key, in the files of ssh',
      'git@h:a',
      'WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!',
      plain,
      'the host key of h is not the one that this host knows: it was replaced, or somebody is in between',
      'once you know that it was replaced: ssh-keygen -R h',
    ],
    [
      'a key that is refused',
      SSH,
      'git@git.example.com: Permission denied (publickey).',
      keyed,
      `git.example.com did not accept the SSH key /k for ${SSH}`,
      'add its public half to the repository as a deploy key: ssh-keygen -y -f /k',
    ],
    [
      'no key',
      SSH,
      'git@git.example.com: Permission denied (publickey).',
      plain,
      `git.example.com accepted no SSH key of this host for ${SSH}`,
      'fraisier agent allow --ssh-key FILE',
    ],
    [
      'a key with a passphrase',
      SSH,
      'Load key "/k": error in libcrypto\nPermission denied (publickey).',
      keyed,
      'the SSH key /k cannot be used: it is no private key, or has a passphrase',
      'give it one without a passphrase: nobody is there to type it',
    ],
    [
      'a key of the host with a passphrase',
      SSH,
      'Load key "/root/.ssh/id": invalid format',
      plain,
      'the SSH key of this host cannot be used: it is no private key, or has a passphrase',
      'give it one without a passphrase: nobody is there to type it',
    ],
    [
      '403',
      'https://h/a',
      'fatal: unable to access: The requested URL returned error: 403',
      plain,
      'https://h/a may not be read (403)',
      'give the token, or this host, the right to read the repository',
    ],
    [
      '403 with a token',
      'https://h/a',
      'The requested URL returned error: 403',
      { ...plain, credential: { url: 'https://h/*', tokenFile: '/t' } },
      'https://h/a may not be read with the token in /t (403)',
      'give the token, or this host, the right to read the repository',
    ],
    [
      '401',
      'https://h/a',
      "fatal: could not read Username for 'https://h': terminal prompts disabled",
      plain,
      'https://h/a asks for a login (401), and this host has none for it',
      'fraisier agent allow --token-file FILE',
    ],
    [
      'a permission of an address that is none',
      '/srv/a',
      'Permission denied (',
      plain,
      '/srv/a accepted no SSH key of this host for /srv/a',
      'fraisier agent allow --ssh-key FILE',
    ],
  ];
  for (const [what, repository, output, given, message, hint] of said) {
    it(`is one sentence: ${what}`, () => {
      expect(refusedByHost(repository, output, given)).to.include({ code: 'fetch_failed', message, hint });
    });
  }

  it('is left in its own words where it is no refusal', () => {
    expect(
      refusedByHost('https://h/a', 'fatal: unable to access: Could not resolve host: h', plain),
    ).to.equal(null);
  });

  it('tells the command for this very host', () =>
    withFolder(async (folder) => {
      const { allow } = await accessTo('git@h:a b.git', {
        stateFolder: folder,
        policy: { ...aPolicy(folder), file: '/etc/fraisier/policy.yaml' },
      });
      expect(allow('--ssh-key FILE')).to.equal(
        "sudo fraisier agent allow --repository 'git@h:a b.git' --ssh-key FILE",
      );
    }));
});
