import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { allowInPolicy } from '../../agent/allow.js';
import { loadPolicy, parsePolicy } from '../../agent/policy.js';
import { describeEntry } from '../../agent/repository-entry.js';
import { FraisierError } from '../../proto/error-codes.js';

const URL = 'git@example.com:acme/shop.git';

describe('repositories of the policy that are private', () => {
  let folder: string;
  let policy: string;
  let key: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-policy-'));
    [policy, key] = [join(folder, 'policy.yaml'), join(folder, 'key')];
    await writeFile(key, 'a key', { mode: 0o600 });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const message = async (doing: Promise<unknown>): Promise<string> => {
    const error = await doing.catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FraisierError);
    return (error as FraisierError).message;
  };

  it('say how to get at them, beside those that say nothing', () => {
    const text = `repositories:\n  - https://example.com/a.git\n  - { url: "${URL}", ssh_key: /k , known_hosts: /h }\n  - { url: "https://example.com/p/*", token_file: /t, username: me }\n`;
    expect(parsePolicy(text, 'policy.yaml')).to.deep.include({
      repositories: ['https://example.com/a.git', URL, 'https://example.com/p/*'],
      credentials: [
        { url: URL, sshKey: '/k', knownHosts: '/h' },
        { url: 'https://example.com/p/*', tokenFile: '/t', username: 'me' },
      ],
    });
  });

  const wrong: readonly [entry: string, message: string][] = [
    ['{ ssh_key: /k }', 'url is missing'],
    ['{ url: x, key: /k }', 'unknown key key; allowed are url, ssh_key, token_file, username, known_hosts'],
    ['{ url: x, ssh_key: k }', 'ssh_key must be an absolute path'],
    ['{ url: x, ssh_key: 1 }', 'ssh_key must be a text'],
    ['{ url: x, ssh_key: "/a\\nb" }', 'ssh_key must be a text'],
    ['{ url: x, ssh_key: /k, token_file: /t }', 'ssh_key and token_file stand beside each other; keep one'],
    ['{ url: x, username: me }', 'username is only used with token_file'],
    ['{ url: x, token_file: /t, known_hosts: /h }', 'known_hosts is only used with ssh'],
    ['7', 'must be a list of texts'],
    ['""', 'must be a list of texts'],
  ];
  for (const [entry, what] of wrong) {
    it(`are strict: ${what}`, () => {
      expect(() => parsePolicy(`repositories: [ ${entry} ]`, 'policy.yaml'))
        .to.throw(FraisierError)
        .with.property('message', `policy.yaml:1:15: repositories: ${what}`);
    });
  }

  it('are added by `agent allow`, each with the same key', async () => {
    const added = await allowInPolicy({
      policy,
      repositories: [URL, 'git@example.com:b.git'],
      credential: { sshKey: key, knownHosts: '/h' },
    });
    expect(added).to.deep.equal({
      repositories: [
        `${URL} with the SSH key ${key} and the host keys in /h`,
        `git@example.com:b.git with the SSH key ${key} and the host keys in /h`,
      ],
    });
    expect((await loadPolicy(policy)).credentials).to.deep.equal([
      { url: URL, sshKey: key, knownHosts: '/h' },
      { url: 'git@example.com:b.git', sshKey: key, knownHosts: '/h' },
    ]);
    expect(
      await allowInPolicy({ policy, repositories: [URL], credential: { sshKey: key, knownHosts: '/h' } }),
    ).to.deep.equal({});
    expect(await allowInPolicy({ policy, repositories: [URL] })).to.deep.equal({});
  });

  it('take the place of a line without a key, and of another key; comments stay', async () => {
    await writeFile(policy, `# ours\nrepositories:\n  - ${URL} # the shop\n  - https://example.com/a.git\n`);
    await allowInPolicy({ policy, repositories: [URL], credential: { sshKey: key } });
    const token = { tokenFile: key, username: 'me' };
    expect(
      await allowInPolicy({
        policy,
        repositories: ['https://example.com/a.git', 'https://example.com/c.git'],
        credential: token,
      }),
    ).to.deep.equal({
      repositories: [
        `https://example.com/a.git with the token in ${key}`,
        `https://example.com/c.git with the token in ${key}`,
      ],
    });
    expect(
      await allowInPolicy({ policy, repositories: [URL], credential: { knownHosts: '/h' } }),
    ).to.deep.equal({ repositories: [`${URL} with the host keys in /h`] });
    const { repositories, credentials } = await loadPolicy(policy);
    expect(repositories).to.deep.equal([URL, 'https://example.com/a.git', 'https://example.com/c.git']);
    expect(credentials?.[0]).to.deep.equal({ url: URL, knownHosts: '/h' });
    expect(await readFile(policy, 'utf8')).to.include('# ours');
  });

  it('are named when nothing is known of them but the address', async () => {
    await writeFile(policy, `repositories: [ { url: ${URL} } ]`);
    const { repositories, credentials } = await loadPolicy(policy);
    expect([repositories, credentials]).to.deep.equal([[URL], [{ url: URL }]]);
    expect(describeEntry({ url: URL })).to.equal(URL);
  });

  it('are not added with a key that others can read, or that makes no sense', async () => {
    const allow = (repositories: readonly string[], credential: object) =>
      message(allowInPolicy({ policy, repositories, credential }));
    expect(await allow([], { sshKey: key })).to.equal(
      'a key or token is for a repository: say --repository as well',
    );
    expect(await allow([URL], { sshKey: key, tokenFile: key })).to.equal(
      'say --ssh-key or --token-file, not both',
    );
    expect(await allow([URL], { username: 'me' })).to.equal('--username goes with --token-file');
    expect(await allow([URL], { tokenFile: key, knownHosts: '/h' })).to.equal(
      '--known-hosts goes with --ssh-key',
    );
    await chmod(key, 0o644);
    expect(await allow([URL], { sshKey: key })).to.equal(
      `the SSH key ${key} can be used by others than its owner: it is not used`,
    );
    expect(await allow([URL], { tokenFile: join(folder, 'none') })).to.equal(
      `the token ${folder}/none is not there`,
    );
  });
});
