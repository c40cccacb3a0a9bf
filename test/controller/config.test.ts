import { expect } from 'chai';
import { readConfig } from '../../controller/config.js';

const HOME = '/home/ana';

describe('the controller’s settings', () => {
  it('have defaults for a service of the system', () => {
    expect(readConfig({}, { HOME }, 0)).to.deep.equal({
      config: null,
      http: '0.0.0.0:8080',
      grpc: '0.0.0.0:9090',
      agents: '0.0.0.0:9091',
      advertise: [],
      socket: '/run/fraisier/control.sock',
      state: '/var/lib/fraisier/controller',
      keyFile: '/var/lib/fraisier/controller/key',
      firstTokenFile: null,
      databaseUrl: null,
      leaseMs: 30_000,
      logLevel: 'info',
    });
  });

  it('have defaults for an ordinary user', () => {
    const { socket, state } = readConfig({}, { HOME }, 1000);
    expect([socket, state]).to.deep.equal([
      '/home/ana/.local/state/fraisier/control.sock',
      '/home/ana/.local/state/fraisier/controller',
    ]);
    expect(readConfig({}, { XDG_STATE_HOME: '/s' }, 1000).state).to.equal('/s/fraisier/controller');
    expect(readConfig({}, {}, 1000).state).to.match(/^\/.*\/fraisier\/controller$/);
  });

  it('come from flags, then from the environment', () => {
    const environment = {
      FRAISIER_HTTP: ':1',
      FRAISIER_GRPC: '[::1]:2',
      FRAISIER_AGENTS: 'a',
      FRAISIER_STATE: '/state',
      FRAISIER_SOCKET: '/s.sock',
      FRAISIER_CONFIG: 'f.yaml',
      FRAISIER_KEY_FILE: '/key',
      DATABASE_URL: 'postgres:///x',
      FRAISIER_ADVERTISE: 'a, b,a',
      FRAISIER_LEASE_MS: '500',
      FRAISIER_LOG_LEVEL: 'debug',
      FRAISIER_FIRST_TOKEN_FILE: '/token',
    };
    const read = readConfig({ http: ':9', advertise: ['x,y'] }, environment, 0);
    expect(read).to.include({
      http: '0.0.0.0:9',
      grpc: '[::1]:2',
      agents: 'a:9091',
      state: '/state',
      socket: '/s.sock',
      keyFile: '/key',
    });
    expect(read).to.include({
      config: 'f.yaml',
      databaseUrl: 'postgres:///x',
      leaseMs: 500,
      logLevel: 'debug',
    });
    expect(read.firstTokenFile).to.equal('/token');
    expect(read.advertise).to.deep.equal(['x', 'y']);
    expect(readConfig({}, environment, 0).advertise).to.deep.equal(['a', 'b']);
  });

  it('have absolute paths', () => {
    expect(readConfig({ state: 'here' }, {}, 0).keyFile).to.equal(`${process.cwd()}/here/key`);
  });

  const wrong: [object, RegExp][] = [
    [{ FRAISIER_LEASE_MS: 'soon' }, /FRAISIER_LEASE_MS is "soon"/],
    [{ FRAISIER_LEASE_MS: '5' }, /from 100 to 3600000/],
    [{ FRAISIER_LOG_LEVEL: 'loud' }, /known are trace/],
    [{ FRAISIER_ADVERTISE: 'a b' }, /is no name/],
    [{ FRAISIER_HTTP: 'a:b' }, /is no address/],
  ];
  for (const [environment, message] of wrong) {
    it(`are refused when ${JSON.stringify(environment)}`, () => {
      expect(() => readConfig({}, { ...environment }, 0)).to.throw(message);
    });
  }
});
