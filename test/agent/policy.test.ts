import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { addToPolicy } from '../../agent/add-to-policy.js';
import { loadPolicy, parsePolicy } from '../../agent/policy.js';
import { FraisierError } from '../../proto/error-codes.js';

const EMPTY = { repositories: [], paths: [], units: [], unit_files: [], users: [], commands: [] };

describe('the host’s policy', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-policy-'));
    file = join(folder, 'policy.yaml');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const refusal = async (act: () => Promise<unknown>): Promise<FraisierError> => {
    const error = await act().catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FraisierError);
    return error as FraisierError;
  };

  it('allows nothing when the file is absent or empty', async () => {
    expect(await loadPolicy(file)).to.deep.equal({ file, ...EMPTY });
    await writeFile(file, '', { mode: 0o644 });
    expect(await loadPolicy(file)).to.deep.equal({ file, ...EMPTY });
    await writeFile(file, '# nothing yet\npaths:\n', { mode: 0o644 });
    expect(await loadPolicy(file)).to.deep.equal({ file, ...EMPTY });
  });

  it('reads the five lists', async () => {
    await writeFile(file, 'paths: [/srv/checkout, " /srv/other "]\nusers:\n  - checkout\n', { mode: 0o644 });
    expect(await loadPolicy(file)).to.deep.equal({
      file,
      ...EMPTY,
      paths: ['/srv/checkout', '/srv/other'],
      users: ['checkout'],
    });
  });

  it('is not believed when others could write to it', async () => {
    await writeFile(file, 'paths: [/srv]\n');
    await chmod(file, 0o664);
    const error = await refusal(() => loadPolicy(file));
    expect(error.reason.code).to.equal('policy_refused');
    expect(error.message).to.equal(
      `${file} can be written by others than its owner: nothing is allowed here`,
    );
    expect(error.reason.hint).to.equal(`sudo chmod go-w ${file}`);
  });

  it('is not believed when it belongs to somebody else', async () => {
    if (process.getuid?.() === 0) {
      await writeFile(file, 'paths: [/srv]\n', { mode: 0o644 });
      await chown(file, 65534, 65534);
      const error = await refusal(() => loadPolicy(file));
      expect(error.message).to.equal(`${file} belongs to uid 65534, not to root: nothing is allowed here`);
    } else {
      await writeFile(file, 'paths: [/srv]\n', { mode: 0o644 });
      const error = await refusal(() => loadPolicy(file, { uid: 4242 }));
      expect(error.message).to.include('not to root: nothing is allowed here');
    }
  });

  it('refuses what it cannot read', async () => {
    const error = await refusal(() =>
      loadPolicy(join(folder, 'policy.yaml', 'below')).then(() => loadPolicy(folder + '\0')),
    );
    expect(error.message).to.include('cannot be read: nothing is allowed here');
  });

  const wrong: [string, string, string][] = [
    ['text that is not YAML', 'paths: [', ':1:'],
    [
      'an unknown key, by its place',
      'paths: []\npath: [/srv]\n',
      ':2:7: unknown key path; allowed are repositories, paths',
    ],
    ['a key that is no text', '1: []\n', ':1:1: unknown key 1; allowed'],
    ['a list where keys belong', '- /srv\n', ': it must be keys with lists'],
    ['a text where a list belongs', 'users: []\npaths: /srv\n', ':2:8: paths must be a list of texts'],
    ['a list of other things', 'paths: [1]\n', ':1:8: paths must be a list of texts'],
  ];
  for (const [what, text, message] of wrong) {
    it(`is strict about ${what}`, () => {
      expect(() => parsePolicy(text, 'policy.yaml'))
        .to.throw(FraisierError)
        .with.property('message')
        .that.includes(`policy.yaml${message}`);
    });
  }

  it('is made with its folder by the first addition', async () => {
    const fresh = join(folder, 'etc/fraisier/policy.yaml');
    const added = await addToPolicy(fresh, { paths: ['/srv/checkout'], commands: ['npm ci **'] });
    expect(added).to.deep.equal({ paths: ['/srv/checkout'], commands: ['npm ci **'] });
    expect(await loadPolicy(fresh)).to.deep.equal({
      file: fresh,
      ...EMPTY,
      paths: ['/srv/checkout'],
      commands: ['npm ci **'],
    });
    expect((await stat(fresh)).mode & 0o777).to.equal(0o644);
    expect(await readFile(fresh, 'utf8')).to.match(/^# What Fraisier's agent may do on this host/);
  });

  it('keeps comments and what is there, and adds nothing twice', async () => {
    await writeFile(file, '# ours\npaths:\n  - /srv/a # why\nusers: []\n', { mode: 0o600 });
    const added = await addToPolicy(file, {
      paths: ['/srv/a', '/srv/b', '/srv/b'],
      users: ['checkout'],
      units: [],
    });
    expect(added).to.deep.equal({ paths: ['/srv/b'], users: ['checkout'] });
    const text = await readFile(file, 'utf8');
    expect(text).to.include('# ours').and.to.include('/srv/a # why');
    expect(await loadPolicy(file)).to.deep.include({ paths: ['/srv/a', '/srv/b'], users: ['checkout'] });
    expect(await addToPolicy(file, { paths: ['/srv/a'] })).to.deep.equal({});
    expect(await readFile(file, 'utf8')).to.equal(text);
  });

  it('is not added to when it is not believed', async () => {
    await writeFile(file, 'paths: []\n');
    await chmod(file, 0o666);
    expect((await refusal(() => addToPolicy(file, { paths: ['/srv'] }))).reason.code).to.equal(
      'policy_refused',
    );
    expect(await readFile(file, 'utf8')).to.equal('paths: []\n');
  });
});
