import { expect } from 'chai';
import { readConfig } from '../../controller/config.js';

const DAY_MS = 86_400_000;
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
      publicUrl: null,
      databaseUrl: null,
      leaseMs: 30_000,
      logLevel: 'info',
      door: { bodyLimitBytes: 26_214_400, rateLimit: 600, repositoryLimit: 600, trustedProxies: [] },
      keeping: {
        bodiesMs: 30 * DAY_MS,
        bodiesBytes: 1_000_000_000,
        deliveriesMs: 180 * DAY_MS,
        refusedMs: 7 * DAY_MS,
        outputMs: 90 * DAY_MS,
        questionsMs: DAY_MS,
        notificationsMs: 7 * DAY_MS,
      },
    });
  });

  it('say what is let in, from flags, then from the environment', () => {
    const environment = {
      FRAISIER_BODY_LIMIT: '10 MB',
      FRAISIER_RATE_LIMIT: '5',
      FRAISIER_REPOSITORY_RATE_LIMIT: '7',
      FRAISIER_TRUSTED_PROXIES: '10.0.0.0/8, ::1,loopback,10.0.0.0/8',
    };
    expect(readConfig({}, environment, 0).door).to.deep.equal({
      bodyLimitBytes: 10_000_000,
      rateLimit: 5,
      repositoryLimit: 7,
      trustedProxies: ['10.0.0.0/8', '::1', 'loopback'],
    });
    const options = {
      bodyLimit: '1MiB',
      rateLimit: '1',
      repositoryRateLimit: '2',
      trustedProxies: ['192.0.2.1'],
    };
    expect(readConfig(options, environment, 0).door).to.deep.equal({
      bodyLimitBytes: 1_048_576,
      rateLimit: 1,
      repositoryLimit: 2,
      trustedProxies: ['192.0.2.1'],
    });
  });

  it('say how long what is kept', () => {
    const environment = {
      FRAISIER_KEEP_BODIES: '12h',
      FRAISIER_KEEP_BODIES_SIZE: 'forever',
      FRAISIER_KEEP_DELIVERIES: 'forever',
      FRAISIER_KEEP_REFUSED: '90s',
      FRAISIER_KEEP_OUTPUT: '',
    };
    expect(readConfig({}, environment, 0).keeping).to.deep.equal({
      bodiesMs: 12 * 3_600_000,
      bodiesBytes: null,
      deliveriesMs: null,
      refusedMs: 90_000,
      outputMs: 90 * DAY_MS,
      questionsMs: DAY_MS,
      notificationsMs: 7 * DAY_MS,
    });
  });

  it('are refused by name when they make no sense', () => {
    for (const [name, text] of [
      ['FRAISIER_BODY_LIMIT', '25'],
      ['FRAISIER_BODY_LIMIT', '1B'],
      ['FRAISIER_RATE_LIMIT', '0'],
      ['FRAISIER_RATE_LIMIT', '1e3'],
      ['FRAISIER_KEEP_BODIES', '30'],
      ['FRAISIER_KEEP_BODIES_SIZE', 'much'],
      ['FRAISIER_KEEP_REFUSED', '0s'],
    ] as const) {
      expect(() => readConfig({}, { [name]: text }, 0), text).to.throw(`${name} is "${text}": wanted is a`);
    }
    expect(() => readConfig({ bodyLimit: '25 mb' }, {}, 0)).to.throw('--body-limit is "25 mb"');
    for (const proxy of ['proxy.example.com', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x', '::1/129']) {
      expect(() => readConfig({ trustedProxies: [proxy] }, {}, 0), proxy).to.throw(
        `--trusted-proxy "${proxy}"`,
      );
    }
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

  it('have an address for people without a slash at its end, or refuse what is none', () => {
    const of = (publicUrl: string) => readConfig({ publicUrl }, { HOME }, 0).publicUrl;
    expect(of('https://deploy.example.com/')).to.equal('https://deploy.example.com');
    expect(of('http://10.0.0.1:8080/fraisier//')).to.equal('http://10.0.0.1:8080/fraisier');
    expect(readConfig({}, { HOME, FRAISIER_PUBLIC_URL: 'https://a' }, 0).publicUrl).to.equal('https://a');
    for (const wrong of [
      'deploy.example.com',
      'ftp://a',
      'https://ana:secret@a',
      'https://a/?b',
      'https://[a',
    ])
      expect(() => of(wrong), wrong).to.throw(/--public-url .* is no address: wanted is https:\/\/HOST/);
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
