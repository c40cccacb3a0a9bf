import { expect } from 'chai';
import { parse } from 'yaml';
import { allEnvironments } from '../../../controller/fraises/fraises.js';
import { findEnvironment } from '../../../controller/fraises/find-environment.js';
import { checkFraises, parseFraises } from '../../../controller/fraises/parse-fraises.js';
import { aHealthCheck, anHttpCheck } from '../../support/builders.js';
import {
  configurationOf,
  environmentWith,
  ORIGINAL_SAMPLE,
  problemsOf,
  refusal,
  shipped,
  warningsOf,
  withSettings,
} from './samples.js';

/** The health check of the shipped example. */
const SHOWN_CHECK = aHealthCheck({
  checks: [
    anHttpCheck({
      url: 'https://127.0.0.1:8443/health',
      statuses: [200, 204],
      json: { 'database.ok': 'true', queue: 'empty' },
      body: 'ready',
      headers: { Authorization: 'Bearer ${HEALTH_TOKEN}' },
      tls: { caFile: '/etc/checkout/ca.pem', serverName: 'shop.example.com', insecure: false },
    }),
    { by: 'command', command: { argv: ['bin/queue-is-empty'] }, user: 'checkout', timeoutMs: 5000 },
    { by: 'unit', unit: 'checkout.service', timeoutMs: 5000 },
    { by: 'tcp', host: '127.0.0.1', port: 5432, timeoutMs: 2000 },
    anHttpCheck({ url: 'http://127.0.0.1:9100/metrics', versionField: null, body: 'process_up' }),
  ],
  backoff: 1.5,
  startGraceMs: 2000,
  stableForMs: 5000,
  deadlineMs: 300_000,
});

describe('a good fraises.yaml', () => {
  it('takes the sample of the original plan as it stands, with a warning for its short secret', () => {
    const { configuration, warnings } = parseFraises(ORIGINAL_SAMPLE, 'fraises.yaml');
    expect(warnings).to.deep.equal([
      'fraises.yaml:2:52: git.github.webhook_secret: is short; a secret should have 16 characters or more',
      'fraises.yaml:8:7: fraises.test_api.environments.development: has no health_check: ' +
        'a release will count as healthy as soon as its restart succeeded',
    ]);
    expect(configuration).to.deep.equal({
      name: 'fraisier',
      defaultProvider: 'github',
      gitHosts: {
        github: {
          provider: 'github',
          baseUrl: 'https://github.com',
          webhookSecrets: [{ template: 'test-secret', path: 'git.github.webhook_secret' }],
          statusToken: null,
        },
      },
      hosts: {},
      fraises: {
        test_api: {
          name: 'test_api',
          type: 'api',
          description: 'Test API',
          environments: {
            development: {
              fraise: 'test_api',
              name: 'development',
              type: 'api',
              description: 'Test API',
              repository: null,
              provider: 'github',
              branch: 'main',
              branchPattern: null,
              tags: null,
              paths: [],
              skipMarker: false,
              missedPushCheckMs: null,
              missedPush: 'record',
              webhookSecrets: [],
              hosts: { by: 'any' },
              appPath: '/tmp/api',
              layout: 'in_place',
              shared: [],
              submodules: false,
              cloneFilter: null,
              root: null,
              user: null,
              environmentFile: null,
              systemdService: 'api.service',
              systemdSocket: null,
              restartMode: 'restart',
              restart: null,
              install: null,
              database: null,
              healthCheck: null,
              rollout: {
                strategy: 'rolling',
                batch: [1],
                canary: 0,
                bakeMs: 0,
                zones: [],
                maxFailures: 0,
                minHealthy: 0,
                progressMs: 0,
                catchUp: false,
                onFailure: 'rollback',
              },
              hooks: {},
              script: null,
              jobs: [],
              units: null,
              whileRunning: { waitMs: 300_000, pastWait: 'fail' },
              keepReleases: 5,
              timeoutMs: 600_000,
              protected: false,
            },
          },
        },
      },
      branchMapping: {},
    });
  });

  it('takes the shipped example without a word', () => {
    const { configuration, warnings } = parseFraises(shipped('fraises.example.yaml'), 'fraises.example.yaml');
    expect(warnings).to.deep.equal([]);
    const names = allEnvironments(configuration).map((one) => `${one.fraise} ${one.name}`);
    expect(names).to.deep.equal([
      ...['checkout production', 'checkout staging', 'website production'],
      ...['nightly production', 'reports production', 'backups production'],
    ]);
    expect(findEnvironment(configuration, 'checkout', 'production')).to.deep.include({
      hosts: { by: 'label', labels: { role: 'web' } },
      install: { command: { argv: ['npm', 'ci', '--omit=dev'] }, user: null, timeoutMs: 300_000 },
      tags: 'v*',
      rollout: {
        strategy: 'rolling',
        batch: [1, 5, '25%'],
        canary: 1,
        bakeMs: 30_000,
        zones: ['a', 'b'],
        maxFailures: 1,
        minHealthy: '60%',
        progressMs: 300_000,
        catchUp: true,
        onFailure: 'rollback',
      },
      healthCheck: SHOWN_CHECK,
    });
    expect(configuration.branchMapping).to.deep.equal({
      main: [{ fraise: 'checkout', environment: 'production' }],
      release: [{ fraise: 'website', environment: 'production' }],
    });
    expect(configuration.gitHosts.gitlab?.webhookSecrets.map((secret) => secret.path)).to.deep.equal([
      'git.gitlab.webhook_secret[0]',
      'git.gitlab.webhook_secret[1]',
    ]);
  });

  it('shows in the shipped example every key that does something and is no alias', () => {
    const example = JSON.stringify(parse(shipped('fraises.example.yaml')));
    const keys = keysOf(JSON.parse(shipped('fraises.schema.json'))).filter(
      (key) => !example.includes(`"${key}":`),
    );
    expect(keys).to.deep.equal(['deploy_user']);
  });

  it('gives the git hosts their public addresses, and a warning to one without a secret', () => {
    const git =
      'git: { github: {}, gitlab: {}, gitea: {}, bitbucket: { base_url: "https://b.example.com/" } }\n';
    const text = git + withSettings('health_check: { url: "http://localhost/" }');
    const { gitHosts } = configurationOf(text);
    expect(Object.values(gitHosts).map((host) => host.baseUrl)).to.deep.equal([
      'https://github.com',
      'https://gitlab.com',
      'https://gitea.com',
      'https://b.example.com',
    ]);
    expect(warningsOf(text)).to.have.length(4);
    expect(warningsOf(text)[0]).to.equal(
      '1:8 git.github: has no webhook_secret: webhooks from there will be refused',
    );
  });
});

describe('settings of an environment', () => {
  it('are those of its fraise where it has none of its own, whole keys at a time', () => {
    const configuration = configurationOf(`
deploy_user: everyone
fraises:
  shop:
    type: api
    repository: git@example.com:acme/shop.git
    health_check: { url: "http://localhost/", attempts: 3 }
    systemd_service: shop
    environments:
      one: { app_path: /srv/one/ }
      two: { app_path: /srv/two, health_check: { url: "http://localhost/two" }, restart: { command: reload }, user: me }
`);
    const [one, two] = allEnvironments(configuration);
    expect(one).to.deep.include({ appPath: '/srv/one', systemdService: 'shop.service', restart: null });
    expect(one).to.deep.include({ layout: 'releases', user: 'everyone' });
    expect(one?.healthCheck?.attempts).to.equal(3);
    expect(two?.healthCheck?.attempts).to.equal(10);
    expect(two?.systemdService).to.equal(null);
    expect(two?.user).to.equal('me');
    expect(two?.restart).to.deep.equal({ command: { shell: 'reload' }, user: null, timeoutMs: 180_000 });
  });

  it('let a unit of the environment replace a restart command of the fraise', () => {
    const text = withSettings('systemd_service: shop@1.service').replace(
      'type: api',
      'type: api\n    restart: { command: [x] }',
    );
    const environment = findEnvironment(configurationOf(text), 'shop', 'dev');
    expect(environment).to.deep.include({ systemdService: 'shop@1.service', restart: null });
  });

  it('have the branch main, unless tags or branch_mapping say what is deployed', () => {
    expect(environmentWith().branch).to.equal('main');
    expect(environmentWith('branch: release/1.0').branch).to.equal('release/1.0');
    expect(environmentWith('tags: "v*"').branch).to.equal(null);
    const mapped = (target: string) => `${withSettings()}branch_mapping: { release: ${target} }\n`;
    for (const target of [
      '{ fraise: shop, environment: dev }',
      '[{ fraise_name: shop, environment: dev }]',
    ]) {
      const configuration = configurationOf(mapped(target));
      expect(findEnvironment(configuration, 'shop', 'dev').branch).to.equal(null);
      expect(configuration.branchMapping).to.deep.equal({
        release: [{ fraise: 'shop', environment: 'dev' }],
      });
    }
  });

  it('take the names the original had for them', () => {
    const environment = environmentWith(
      'clone_url: https://git.example.com/acme/shop.git',
      'server: web-1',
      'deploy_user: shop',
      'install: { command: [uv, sync], user: builder }',
      'health_check: { url: "http://localhost/", retries: 7, timeout: 30 }',
      'timeout: 600',
    );
    expect(environment.repository).to.equal('https://git.example.com/acme/shop.git');
    expect(environment.hosts).to.deep.equal({ by: 'name', names: ['web-1'] });
    expect(environment.user).to.equal('shop');
    expect(environment.install?.user).to.equal('builder');
    expect(environment.healthCheck?.attempts).to.equal(7);
    expect(environment.healthCheck?.checks[0]?.timeoutMs).to.equal(30_000);
    expect(environment.timeoutMs).to.equal(600_000);
    expect(environmentWith('git_repo: /srv/git/shop.git').repository).to.equal('/srv/git/shop.git');
  });

  it('refuse two names for one thing, and only remark on a git_repo beside a repository', () => {
    const both = [
      'repository: https://git.example.com/acme/shop.git',
      'clone_url: https://git.example.com/acme/shop.git',
      'health_check: { url: "http://localhost/", retries: 7, attempts: 7 }',
    ];
    expect(problemsOf(withSettings(...both))).to.deep.equal([
      "8:9 fraises.shop.environments.dev.clone_url: is the original's name for repository, which is here too; keep one of them",
      "9:51 fraises.shop.environments.dev.health_check.retries: is the original's name for attempts; keep one of them",
    ]);
    const mirror = withSettings(
      'clone_url: https://x.org/a',
      'git_repo: /srv/a',
      'health_check: { url: "http://x/" }',
    );
    expect(warningsOf(mirror)).to.deep.equal([
      '8:9 fraises.shop.environments.dev.git_repo: not used beside a repository: the agent keeps a mirror of its own',
    ]);
    const mapping = `${withSettings()}branch_mapping: { a: { fraise: shop, fraise_name: shop, environment: dev } }\n`;
    expect(problemsOf(mapping)).to.deep.equal([
      "7:38 branch_mapping.a.fraise_name: is the original's name for fraise; keep one of them",
    ]);
    const secrets = `git: { gitlab: { webhook_secret: 0123456789abcdef, secret_token: 0123456789abcdef } }\n`;
    expect(problemsOf(secrets + withSettings())).to.deep.equal([
      '1:52 git.gitlab.secret_token: is another name for webhook_secret; keep one of them',
    ]);
  });

  it('may come from anchors and merge keys', () => {
    const text = `
fraises:
  shop:
    type: api
    environments:
      one: &one { app_path: /srv/one, hosts: [a], health_check: { url: "http://localhost/" } }
      two: { <<: *one, app_path: /srv/two }
      three: *one
`;
    expect(problemsOf(text)).to.deep.equal([
      '6:29 fraises.shop.environments.three.app_path: /srv/one is also the app_path of shop one, ' +
        'and both may be on one host; give each its own, or hosts that cannot be the same',
    ]);
  });

  it('have a database only where there is something to migrate', () => {
    const database = 'database: { tool: command, up: [up], down: [down], status: [status], timeout: 2m }';
    expect(environmentWith(database).database).to.deep.equal({
      strategy: 'apply',
      tool: 'command',
      on: null,
      command: null,
      directory: null,
      up: ['up'],
      down: ['down'],
      status: ['status'],
      user: null,
      timeoutMs: 120_000,
      lockTimeoutMs: null,
      statementTimeoutMs: null,
      allowIrreversible: false,
      backupBefore: null,
    });
    const full =
      'database: { tool: sql, command: [doas, fraisier, sql], directory: db/sql/, lock_timeout: 5s, statement_timeout: 1m, ' +
      'allow_irreversible: true, backup_before: { command: ./dump, verify: [./check], user: dumper, timeout: 3m } }';
    expect(environmentWith(full).database).to.deep.include({
      tool: 'sql',
      command: ['doas', 'fraisier', 'sql'],
      directory: 'db/sql',
      lockTimeoutMs: 5000,
      statementTimeoutMs: 60_000,
      allowIrreversible: true,
      backupBefore: {
        command: { shell: './dump' },
        verify: { argv: ['./check'] },
        user: 'dumper',
        timeoutMs: 180_000,
      },
    });
    expect(
      environmentWith('database: { tool: sql, backup_before: { command: [d] } }').database?.backupBefore,
    ).to.include({
      verify: null,
      user: null,
      timeoutMs: 600_000,
    });
    expect(
      environmentWith('database: { strategy: migrate, tool: command, up: [up] }').database,
    ).to.deep.include({
      strategy: 'apply',
      down: null,
      status: null,
      timeoutMs: 600_000,
    });
    expect(environmentWith('database: { strategy: none }').database).to.equal(null);
    expect(environmentWith('database: { strategy: rebuild, tool: command, up: [up] }').database).to.include({
      strategy: 'rebuild',
      allowIrreversible: true,
    });
  });

  it('name each host once', () => {
    expect(environmentWith('hosts: [a, b, a]').hosts).to.deep.equal({ by: 'name', names: ['a', 'b'] });
    expect(environmentWith('hosts: a').hosts).to.deep.equal({ by: 'name', names: ['a'] });
  });

  it('are protected for names that begin with prod, unless they say otherwise', () => {
    const of = (name: string, more = '') =>
      allEnvironments(
        configurationOf(
          `fraises: { shop: { type: api, environments: { ${name}: { app_path: /a${more} } } } }`,
        ),
      )[0]?.protected;
    expect([
      of('production'),
      of('Prod-eu'),
      of('preprod'),
      of('production', ', protected: false'),
    ]).to.deep.equal([true, true, false, false]);
  });
});

describe('what a refused fraises.yaml throws', () => {
  it('is a FraisierError with one line for each problem, in the order of the file', () => {
    const error = refusal(() => parseFraises('nme: x\nfraises: {}\n', 'shop.yaml'));
    expect(error.message).to.equal(
      'shop.yaml:1:1: nme: unknown key (did you mean name?)\nshop.yaml:2:10: fraises: must not be empty',
    );
    expect(error.reason).to.deep.include({
      code: 'invalid_configuration',
      hint: 'fraisier validate shop.yaml',
    });
    expect(error.reason.facts).to.deep.equal({ problems: '2' });
  });

  it('stays short when there are very many problems, which checkFraises lists all', () => {
    const text = `${withSettings()}${Array.from({ length: 40 }, (_, i) => `wrong${i}: 1\n`).join('')}`;
    const error = refusal(() => parseFraises(text, 'f'));
    expect(error.message.split('\n')).to.have.length(26);
    expect(error.message).to.match(/… and 15 more$/);
    expect(checkFraises(text).problems).to.have.length(40);
  });
});

/** Names of all properties of a JSON Schema that are not deprecated everywhere. */
function keysOf(schema: unknown, whole = schema): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const properties =
    'properties' in schema ? Object.entries(schema.properties as Record<string, object>) : [];
  const own = properties.filter(([, property]) => !isDeprecated(property, whole)).map(([key]) => key);
  return [...new Set([...own, ...Object.values(schema).flatMap((inner) => keysOf(inner, whole))])];
}

/** Also where the schema holds the property once, for all who have it. */
function isDeprecated(property: object, whole: unknown): boolean {
  if (!('$ref' in property)) return 'deprecated' in property;
  const name = String(property.$ref).replace('#/$defs/', '');
  return (
    'deprecated' in property ||
    isDeprecated((whole as { $defs: Record<string, object> }).$defs[name] ?? {}, whole)
  );
}
