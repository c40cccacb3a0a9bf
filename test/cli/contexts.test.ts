import { expect } from 'chai';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from '../../cli/config.js';
import { readContexts, storeContext } from '../../cli/contexts.js';
import { findEndpoint, normalAddress } from '../../cli/endpoint.js';
import { FraisierError } from '../../proto/error-codes.js';

const SHOP = { address: 'shop:9090', token: 'fra_x', authority: 'PEM' };
const LOCAL = { address: 'unix:/run/x.sock', token: '', authority: '' };

describe('contexts', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fraisier-contexts-'));
    file = join(folder, 'deep', 'contexts.json');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const refusal = (attempt: Promise<unknown>): Promise<string> =>
    attempt.then(
      () => 'nothing',
      (error: unknown) =>
        error instanceof FraisierError ? error.message : `not a FraisierError: ${String(error)}`,
    );

  it('are none before the first login', async () => {
    expect(await readContexts(file)).to.deep.equal({ current: null, contexts: {} });
  });

  it('are kept for their owner alone, the latest one current, and leave no draft behind', async () => {
    await storeContext(file, 'shop', SHOP);
    await storeContext(file, 'local', LOCAL);
    expect(await readContexts(file)).to.deep.equal({
      current: 'local',
      contexts: { shop: SHOP, local: LOCAL },
    });
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    expect((await stat(join(folder, 'deep'))).mode & 0o777).to.equal(0o700);
    expect(await readdir(join(folder, 'deep'))).to.deep.equal(['contexts.json']);
  });

  for (const damaged of [
    '',
    '{',
    'null',
    '{"contexts":null}',
    '{"contexts":{"a":{"address":"x"}}}',
    '{"contexts":{"a":null}}',
  ]) {
    it(`say so when the file is damaged: ${damaged || 'empty'}`, async () => {
      const flat = join(folder, 'contexts.json');
      await writeFile(flat, damaged);
      expect(await refusal(readContexts(flat))).to.equal(`${flat} is not what fraisier login writes`);
    });
  }

  it('say so when the file cannot be read', async () => {
    expect(await refusal(readContexts(folder))).to.match(/^cannot read .*EISDIR/);
  });

  describe('and the flags say which controller', () => {
    const environment = () => ({ ...readEnvironment({ HOME: folder }, 1000), contextsFile: file });
    beforeEach(async () => {
      await storeContext(file, 'local', LOCAL);
      await storeContext(file, 'shop', SHOP);
    });

    it('the current one when nothing is said', async () => {
      expect(await findEndpoint({}, environment())).to.deep.equal({ kind: 'tls', ...SHOP });
    });

    it('a named one, whatever the address', async () => {
      const wish = { context: 'local', controller: 'elsewhere' };
      expect(await findEndpoint(wish, environment())).to.deep.equal({
        kind: 'socket',
        address: 'unix:/run/x.sock',
        path: '/run/x.sock',
      });
    });

    it('the one that is stored for the address', async () => {
      expect(await findEndpoint({ controller: 'shop' }, environment())).to.deep.equal({
        kind: 'tls',
        ...SHOP,
      });
    });

    it("this machine's socket when nobody ever logged in", async () => {
      const nobody = { ...environment(), contextsFile: join(folder, 'none.json') };
      expect(await findEndpoint({}, nobody)).to.deep.include({
        path: join(folder, '.local/state/fraisier/control.sock'),
      });
    });

    it('says which contexts there are when the named one is not among them', async () => {
      expect(await refusal(findEndpoint({ context: 'mars' }, environment()))).to.equal(
        'there is no context "mars" (known: local, shop)',
      );
      const nobody = { ...environment(), contextsFile: join(folder, 'none.json') };
      expect(await refusal(findEndpoint({ context: 'mars' }, nobody))).to.equal(
        'there is no context "mars" (known: none)',
      );
    });
  });
});

describe('addresses', () => {
  const cases: Record<string, string> = {
    shop: 'shop:9090',
    'shop:1234': 'shop:1234',
    '[::1]': '[::1]:9090',
    'unix:/run/x.sock': 'unix:/run/x.sock',
    'unix:///run/x.sock': 'unix:/run/x.sock',
    'unix:x.sock': `unix:${join(process.cwd(), 'x.sock')}`,
  };
  for (const [written, normal] of Object.entries(cases)) {
    it(`are written in full: ${written}`, () => expect(normalAddress(written)).to.equal(normal));
  }
});

describe('the environment', () => {
  it('says where things are for root', () => {
    expect(readEnvironment({ HOME: '/root' }, 0)).to.deep.equal({
      token: undefined,
      contextsFile: '/root/.config/fraisier/contexts.json',
      localSocket: '/run/fraisier/control.sock',
      policyFile: '/etc/fraisier/policy.yaml',
      reconnectForMs: 60_000,
      mayColour: true,
      dumbTerminal: false,
    });
  });

  it('says where things are for others, and follows the variables', () => {
    const others = {
      HOME: '/home/ann',
      XDG_CONFIG_HOME: '/c',
      XDG_STATE_HOME: '/s',
      NO_COLOR: '1',
      TERM: 'dumb',
      FRAISIER_TOKEN: 't',
      FRAISIER_RECONNECT_FOR: '2',
    };
    expect(readEnvironment(others, 1000)).to.deep.equal({
      token: 't',
      contextsFile: '/c/fraisier/contexts.json',
      localSocket: '/s/fraisier/control.sock',
      policyFile: '/s/fraisier/agent/policy.yaml',
      reconnectForMs: 2_000,
      mayColour: false,
      dumbTerminal: true,
    });
    const named = readEnvironment(
      {
        HOME: '/home/ann',
        FRAISIER_SOCKET: '/x.sock',
        FRAISIER_STATE: '/st',
        FRAISIER_RECONNECT_FOR: 'long',
      },
      1000,
    );
    expect(named).to.include({
      localSocket: '/x.sock',
      policyFile: '/st/policy.yaml',
      reconnectForMs: 60_000,
    });
    expect(readEnvironment({}).contextsFile).to.match(/\/\.config\/fraisier\/contexts\.json$/);
  });
});
