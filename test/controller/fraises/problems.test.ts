import { expect } from 'chai';
import { checkFraises } from '../../../controller/fraises/parse-fraises.js';
import { problemsOf, warningsOf, withSettings } from './samples.js';

const DEV = 'fraises.shop.environments.dev';

/** Problems of an environment with these lines; the first of them is line 7, column 9. */
function faults(...lines: readonly string[]): string[] {
  return problemsOf(withSettings(...lines)).map((line) => line.replace(`${DEV}.`, ''));
}

describe('what is wrong with the shape of a fraises.yaml', () => {
  it('is an unknown key, with the nearest known one', () => {
    expect(faults('brnch: main')).to.deep.equal(['7:9 brnch: unknown key (did you mean branch?)']);
    expect(faults('health_check: { url: "http://x/", atempts: 3 }')).to.deep.equal([
      '7:43 health_check.atempts: unknown key (did you mean attempts?)',
    ]);
    expect(faults('install: { command: [x], zzz: 3 }')).to.deep.equal([
      '7:34 install.zzz: unknown key; known here: command, user, timeout',
    ]);
  });

  it('is a missing, empty or mistyped value', () => {
    expect(problemsOf('fraises: { a: { type: api } }')).to.deep.equal([
      '1:12 fraises.a.environments: is missing; must be a map of keys',
    ]);
    expect(problemsOf('fraises:\n  a:\n    environments: { e: { app_path: /a } }\n')).to.deep.equal([
      '2:3 fraises.a.type: is missing; must be one of api, etl, scheduled',
    ]);
    expect(faults('health_check:')).to.deep.equal(['7:22 health_check: is empty; must be a map of keys']);
    expect(faults('description: 5')).to.deep.equal(['7:22 description: must be text: put it in quotes']);
    expect(faults('description: [x]')).to.deep.equal(['7:22 description: must be text']);
    expect(faults('shared: .env')).to.deep.equal(['7:17 shared: must be a list']);
    expect(faults('protected: yes')).to.deep.equal(['7:20 protected: must be true or false']);
    expect(faults('install: { command: [] }')).to.deep.equal(['7:29 install.command: must not be empty']);
    expect(faults('install: { command: 5 }')).to.deep.equal([
      '7:29 install.command: must be a list of words (run without a shell) or a string (run by /bin/sh)',
    ]);
    expect(faults('install: { command: [a, "b\\0"] }')).to.deep.equal([
      '7:33 install.command[1]: must not contain a NUL',
    ]);
    expect(faults('hosts: 5')).to.deep.equal([
      '7:16 hosts: must be the name of a host, a list of names, or a map of labels',
    ]);
    expect(faults('hosts: { role: 5 }')).to.deep.equal(['7:24 hosts.role: must be text: put it in quotes']);
    expect(faults('hosts: { " ": x }')).to.deep.equal([
      '7:18 hosts. : must be a label: letters, digits, - _ . and /',
    ]);
    expect(faults('hosts: {}')).to.deep.equal(['7:16 hosts: must not be empty']);
  });

  for (const [what, line, allowed] of [
    ['a duration without a unit', 'timeout: "10"', /must be a duration such as 500ms, 30s, 10m or 2h/],
    ['a duration of nothing where time is needed', 'timeout: 0s', /at most 168h, longer than 0$/],
    ['a duration that is a list', 'timeout: [1s]', /must be a duration/],
    ['a negative duration', 'timeout: -5', /must be a duration/],
    ['a duration of months', 'timeout: 2000h', /at most 168h/],
    ['a fraction of a count', 'keep_releases: 1.5', /must be a whole number from 1 to 1000/],
    ['a count out of range', 'keep_releases: 0', /must be a whole number from 1 to 1000/],
    ['a relative app_path', 'environment_file: etc/env', /must be an absolute path on the host/],
    ['a path that climbs', 'environment_file: /srv/../etc', /must be an absolute path on the host/],
    ['a shared path that climbs', 'shared: [a/../../b]', /must be a path inside the release/],
    ['an absolute shared path', 'shared: [/etc]', /must be a path inside the release/],
    ['a branch that is an option', 'branch: --upload-pack=x', /name of a branch, or a pattern/],
    ['a branch that is an expression', 'branch: "release[12]"', /name of a branch, or a pattern/],
    [
      'a unit that is an option',
      'systemd_service: --now',
      /name of a systemd service such as checkout.service/,
    ],
    ['a unit of another kind', 'systemd_service: shop.timer', /name of a systemd service/],
    ['a user with spaces', 'user: a b', /name of a user/],
    ['a health address without a scheme', 'health_check: { url: "localhost:80" }', /begins with http:/],
    [
      'a health address with a password',
      'health_check: { url: "http://a:b@x/" }',
      /without user and password/,
    ],
    [
      'an unknown provider',
      'provider: gitbub',
      /must be one of github, gitlab, gitea, bitbucket \(did you mean github\?\)/,
    ],
    ...['0', '100000', '1.5', '0%', '101%', '-5%', '5.5%', 'half', '[1, 0%]', '[[1]]', '{}'].map(
      (batch): [string, string, RegExp] => [
        `${batch} hosts at a time`,
        `rollout: { batch: ${batch} }`,
        /must be a number of hosts, 1 or more, or a percentage of all of them such as 25%/,
      ],
    ),
    ...['-1', '100%', '1.5', 'half', '5.5%'].flatMap((count) =>
      ['max_failures', 'min_healthy'].map((key): [string, string, RegExp] => [
        `${key}: ${count}`,
        `rollout: { ${key}: ${count} }`,
        /must be a number of hosts, 0 or more, or a percentage of all of them below 100%, such as 25%/,
      ]),
    ),
    ['no zones', 'rollout: { zones: [] }', /must not be empty/],
    ['no time for progress', 'rollout: { progress_deadline: 0s }', /must be a duration/],
    ['an empty list of batches', 'rollout: { batch: [] }', /must not be empty/],
    ['less than no canary', 'rollout: { canary: -1 }', /must be a whole number from 0 to 10000/],
    [
      'a tool that is not here yet',
      'database: { tool: peewee, up: [x] }',
      /use tool: command with up, down and status/,
    ],
    [
      'an unknown tool',
      'database: { tool: comand, up: [x] }',
      /must be one of alembic, .*, sql \(did you mean command\?\)/,
    ],
    [
      'a strategy that is not here yet',
      'database: { strategy: restore_migrate }',
      /use apply, rebuild or none/,
    ],
  ] as const) {
    it(`is ${what}`, () => {
      const found = faults(line);
      expect(found).to.have.length(1);
      expect(found[0]).to.match(allowed);
    });
  }

  for (const address of [
    'acme/shop',
    '--upload-pack=evil',
    'ext::sh -c evil',
    'ssh://-oProxyCommand=evil/x',
    'https:///x',
    'https://github.com/',
    'file://elsewhere/x',
    'git://me@example.com/a',
    'git://-oProxyCommand=evil/x',
    'git://example.com/',
    'git@host:-x',
  ]) {
    it(`is a repository like ${address}`, () => {
      expect(faults(`repository: "${address}"`)[0]).to.match(
        /^7:21 repository: must be an address git can clone/,
      );
    });
  }

  for (const address of [
    'https://github.com/acme/shop.git',
    'https://git@github.com/acme/shop.git',
    'ssh://git@git.example.com:2222/acme/shop.git',
    'git@github.com:acme/shop.git',
    'git://git.example.com:9419/shop.git',
    'host:shop.git',
    '/srv/git/shop.git',
    'file:///srv/git/shop.git',
    'file://localhost/srv/git/shop.git',
  ]) {
    it(`is not a repository like ${address}`, () => {
      expect(faults(`repository: "${address}"`)).to.deep.equal([]);
    });
  }

  it('is a repository with a password or a token in its address, which is not repeated', () => {
    for (const address of [
      'https://me:hunter2@x.org/a',
      'https://hunter2@x.org/a',
      'ssh://git:hunter2@x.org/a',
      'git://me:hunter2@x.org/a',
    ]) {
      const [fault, ...others] = faults(`repository: ${address}`);
      expect(others).to.deep.equal([]);
      expect(fault).to.match(/^7:21 repository: must not hold a password or token/);
      expect(fault).not.to.contain('hunter2');
    }
  });

  it('is a kind of fraise that this version does not have', () => {
    const of = (type: string) => problemsOf(withSettings().replace('type: api', `type: ${type}`))[0];
    expect(of('backup')).to.match(/^3:11 fraises.shop.type: backup is not available in this version/);
    expect(of('docker_compose')).to.match(/docker_compose is not available/);
    expect(of('constructor')).to.equal('3:11 fraises.shop.type: must be one of api, etl, scheduled');
  });

  it('is a name that cannot be one', () => {
    expect(problemsOf(withSettings().replace('shop:', '"sh op":'))).to.deep.equal([
      '2:3 fraises.sh op: must be a name: letters, digits, - and _',
    ]);
    expect(problemsOf(withSettings().replace('dev:', '__proto__:'))).to.contain(
      '5:7 fraises.shop.environments.__proto__: cannot be a name',
    );
  });
});

describe('what is wrong between the keys of a fraises.yaml', () => {
  it('is an environment without a place', () => {
    expect(problemsOf('fraises:\n  shop:\n    type: api\n    environments:\n      dev: {}\n')).to.deep.equal([
      `5:7 ${DEV}.app_path: is missing; must be an absolute path on the host`,
    ]);
  });

  it('is the layout releases without a repository', () => {
    expect(faults('layout: releases')).to.deep.equal([
      '7:17 layout: releases needs a repository to make them from; without one only in_place',
    ]);
  });

  it('is what only releases can do, with a checkout that is updated in place', () => {
    expect(faults('submodules: true', 'clone: { filter: "blob:none" }')).to.deep.equal([
      '7:9 submodules: not possible with the layout in_place, which leaves submodules as they are; use layout: releases',
      '8:18 clone.filter: not possible with the layout in_place, whose checkout has everything; use layout: releases',
    ]);
    expect(
      faults('repository: /srv/shop.git', 'submodules: true', 'clone: { filter: "blob:none" }'),
    ).to.deep.equal([]);
    expect(faults('clone: {}', 'submodules: false')).to.deep.equal([]);
    expect(faults('clone: { filter: "tree:0" }')).to.deep.equal([
      '7:26 clone.filter: must be one of blob:none',
    ]);
  });

  it('is a unit and a restart command beside each other', () => {
    expect(faults('systemd_service: a', 'restart: { command: [b] }')).to.deep.equal([
      '8:9 restart: stands beside systemd_service; keep the one that restarts it',
    ]);
  });

  it('is a database without its tool or its command', () => {
    expect(faults('database: {}')).to.deep.equal([
      '7:9 database.tool: is missing; must be one of alembic, command, confiture, dbmate, django, flask_migrate, flyway, knex, prisma, rails, sql',
    ]);
    expect(faults('database: { tool: command }')).to.deep.equal([
      '7:9 database.up: is missing; must be the list of words of the command that migrates',
    ]);
  });

  it('is a setting that means nothing to the tool of the database', () => {
    expect(faults('database: { tool: command, up: [x], command: [y] }')).to.deep.equal([
      '7:45 database.command: has no meaning with tool: command; write up, down and status',
    ]);
    expect(faults('database: { tool: alembic, up: [x], down: [y] }')).to.deep.equal([
      '7:36 database.up: has no meaning with alembic, whose own commands are used; for others say tool: command',
      '7:45 database.down: has no meaning with alembic, whose own commands are used; for others say tool: command',
    ]);
    expect(faults('database: { tool: django, directory: shop }')).to.deep.equal([
      '7:35 database.directory: has no meaning to django; say it in command or in its own settings',
    ]);
    expect(faults('database: { tool: django, strategy: rebuild }')).to.deep.equal([
      '7:45 database.strategy: django cannot drop and make a database anew; use tool: command with up',
    ]);
    for (const good of [
      'tool: rails',
      'tool: prisma, directory: db, status: [s], down: [d]',
      'tool: sql, strategy: rebuild',
    ])
      expect(faults(`database: { ${good} }`)).to.deep.equal([]);
  });

  it('is a rebuild where the data is protected, or with a way down', () => {
    const rebuild = 'database: { strategy: rebuild, tool: command, up: [x], down: [y], status: [z] }';
    expect(faults('protected: true', rebuild)).to.deep.equal([
      '8:31 database.strategy: rebuild destroys data and dev is protected; use apply, or say protected: false',
      '8:64 database.down: has no meaning with rebuild, which makes the database anew',
      '8:75 database.status: has no meaning with rebuild, which makes the database anew',
    ]);
    const production = withSettings('database: { strategy: rebuild, tool: command, up: [x] }').replace(
      'dev',
      'prod',
    );
    expect(problemsOf(production)[0]).to.match(/prod is protected/);
  });

  it('is a migrating host that the environment does not have', () => {
    const database = 'database: { tool: command, up: [x], on: web-3 }';
    expect(faults('hosts: [web-1, web-2]', database)).to.deep.equal([
      '8:49 database.on: web-3 is not one of the hosts of this environment (did you mean web-1?)',
    ]);
    expect(faults('hosts: [web-3]', database)).to.deep.equal([]);
    expect(faults(database)).to.deep.equal([]);
    const labelled = `hosts: { web-3: { labels: { role: db } } }\n${withSettings('hosts: { role: web }', database)}`;
    expect(problemsOf(labelled)).to.deep.equal([
      `9:49 ${DEV}.database.on: web-3 is not one of the hosts of this environment`,
    ]);
    expect(problemsOf(labelled.replace('role: web', 'zone: a'))).to.deep.equal([]);
  });

  it('is a branch_mapping to what does not exist, or twice to the same', () => {
    const mapping = (targets: string) => problemsOf(`${withSettings()}branch_mapping:\n  main: ${targets}\n`);
    expect(mapping('{ fraise: shpo, environment: dev }')).to.deep.equal([
      '8:19 branch_mapping.main.fraise: there is no fraise called shpo (did you mean shop?); must be one of shop',
    ]);
    expect(mapping('{ fraise_name: other, environment: dev }')).to.deep.equal([
      '8:24 branch_mapping.main.fraise_name: there is no fraise called other; must be one of shop',
    ]);
    expect(mapping('[{ fraise: shop, environment: live }]')).to.deep.equal([
      '8:39 branch_mapping.main[0].environment: there is no environment of shop called live; must be one of dev',
    ]);
    const pair = '{ fraise: shop, environment: dev }';
    expect(mapping(`[${pair}, ${pair}]`)).to.deep.equal([
      '8:46 branch_mapping.main[1]: shop dev stands twice under this branch; keep one',
    ]);
    expect(mapping('{ environment: dev }')).to.deep.equal([
      '8:3 branch_mapping.main.fraise: is missing; must be the name of a fraise',
    ]);
    expect(mapping('{ fraise: shop }')).to.deep.equal([
      '8:3 branch_mapping.main.environment: is missing; must be text',
    ]);
    expect(mapping('5')).to.deep.equal([
      '8:9 branch_mapping.main: must be a target { fraise, environment } or a list of them',
    ]);
  });

  describe('is one app_path for two environments that may meet on a host', () => {
    const two = (a: string, b: string, hosts = '') =>
      problemsOf(`${hosts}
fraises:
  shop:
    type: api
    app_path: /srv/shop
    environments: { a: { ${a} }, b: { ${b} } }
`);
    const shared = /^5:15 fraises.shop.app_path: \/srv\/shop is also the app_path of shop a/;

    for (const [a, b, hosts] of [
      ['', '', ''],
      ['hosts: [x, y]', 'hosts: [y, z]', ''],
      ['hosts: [x]', '', ''],
      ['hosts: { role: web }', 'hosts: { zone: a }', ''],
      ['hosts: { role: web }', '', ''],
      ['hosts: { role: web }', 'hosts: x', ''],
      ['hosts: { role: web }', 'hosts: x', 'hosts: { x: { labels: { role: web } } }'],
    ] as const) {
      it(`as with ${a || 'any host'} and ${b || 'any host'} ${hosts}`, () => {
        expect(two(a, b, hosts)).to.have.length(1);
        expect(two(a, b, hosts)[0]).to.match(shared);
      });
    }

    for (const [a, b, hosts] of [
      ['hosts: [x]', 'hosts: [y]', ''],
      ['hosts: { role: web }', 'hosts: { role: worker }', ''],
      ['hosts: { role: web }', 'hosts: x', 'hosts: { x: { labels: { role: worker } } }'],
      ['', 'app_path: /srv/other', ''],
    ] as const) {
      it(`but not with ${a || 'any host'} and ${b} ${hosts}`, () => {
        expect(two(a, b, hosts)).to.deep.equal([]);
      });
    }
  });

  it('is a template where nothing fills it in', () => {
    const loose = '${…} is only filled in for webhook secrets';
    expect(faults('user: "${NAME}"')[0]).to.contain(`7:15 user: ${loose}`);
    expect(faults('user: "${NAME}"')).to.have.length(1);
    expect(faults('install: { command: [echo, "${NAME}"] }')[0]).to.contain(`install.command[1]: ${loose}`);
    expect(faults('hosts: { "${NAME}": x }').join()).to.contain(`7:18 hosts.\${NAME}: ${loose}`);
    expect(
      faults('install: { command: "echo ${NAME}" }', 'restart: { command: "echo ${NAME}" }'),
    ).to.deep.equal([]);
  });

  it('is a secret that is empty or a malformed template', () => {
    const secret = (value: string) =>
      problemsOf(`git: { github: { webhook_secret: ${value} } }\n${withSettings()}`);
    expect(secret('"${not a name}"')).to.deep.equal([
      '1:34 git.github.webhook_secret: has a malformed ${…}; write ${NAME} or ${NAME:-default}',
    ]);
    expect(secret('["${GOOD}", " "]')).to.deep.equal([
      '1:46 git.github.webhook_secret[1]: must not be empty',
    ]);
    expect(secret('[]')).to.deep.equal(['1:34 git.github.webhook_secret: must not be empty']);
    expect(secret('5')).to.deep.equal(['1:34 git.github.webhook_secret: must be text or a list of texts']);
  });

  it('is found in sound parts beside broken ones', () => {
    const text = `${withSettings('brnch: x')}branch_mapping:\n  a: 5\n  b: { fraise: shpo, environment: dev }\n`;
    expect(checkFraises(text).problems.map((one) => one.path)).to.deep.equal([
      `${DEV}.brnch`,
      'branch_mapping.a',
      'branch_mapping.b.fraise',
    ]);
  });
});

describe('what a fraises.yaml says and this version does not do', () => {
  it('is refused where going on would change what happens', () => {
    expect(faults('ssh: { host: x }')).to.deep.equal([
      '7:9 ssh: not used: install an agent on that host and name it in hosts',
    ]);
    const [fault] = faults('database: { tool: command, up: [x], database_url: "postgres://u:hunter2@x/y" }');
    expect(fault).to.match(/^7:45 database.database_url: not taken from this file/);
    expect(fault).not.to.contain('hunter2');
  });

  it('is named in a warning where it is only scaffolding', () => {
    const health = 'health_check: { url: "http://x/", check_interval: 3 }';
    const text = `scaffold: { a: "\${B}" }\n${withSettings('worker_count: 4', 'repository: /a', health)}`;
    expect(problemsOf(text)).to.deep.equal([]);
    expect(warningsOf(text)).to.deep.equal([
      '1:1 scaffold: not used: Fraisier writes no units, proxies or backups; keep them on the host',
      `8:9 ${DEV}.worker_count: not used: Fraisier writes no units, proxies or backups; keep them on the host`,
      `10:43 ${DEV}.health_check.check_interval: not used: a setting of the original's own process on each host`,
    ]);
  });

  it('is named in a warning where it has no effect', () => {
    const text = withSettings(
      'health_check: { url: "http://x/" }',
      'keep_releases: 3',
      'shared: [a]',
      'database: { tool: command, up: [x], down: [y] }',
    );
    expect(warningsOf(text)).to.deep.equal([
      `9:9 ${DEV}.shared: not used with the layout in_place, which has one folder only`,
      `10:45 ${DEV}.database.down: never used without status: what was applied is not known, so it cannot be undone`,
    ]);
  });

  it('is named in a warning where somebody in between could answer for the repository', () => {
    const warned = (address: string) =>
      warningsOf(withSettings(`repository: "${address}"`, 'health_check: { url: "http://x/" }'));
    for (const scheme of ['git', 'http'])
      expect(warned(`${scheme.toUpperCase()}://git.example.com/shop.git`)).to.deep.equal([
        `7:21 ${DEV}.repository: ${scheme}:// is neither encrypted nor authenticated: whoever is in between can read the code, ` +
          'and say where a branch is (a commit that a webhook names is fetched by its hash); use https:// or ssh:// where you can',
      ]);
    for (const safe of [
      'https://git.example.com/a',
      'git@example.com:a',
      'ssh://git@example.com/a',
      '/srv/a',
    ])
      expect(warned(safe)).to.deep.equal([]);
  });

  it('is named in a warning where a host is not among those of the file', () => {
    const hosts = 'hosts: { web-1: { labels: { role: web } }, web-2: }\n';
    const warned = (selection: string) =>
      warningsOf(`${hosts}${withSettings(selection, 'health_check: { url: "http://x/" }')}`);
    expect(warned('hosts: [web-1, web-9]')).to.deep.equal([
      `8:16 ${DEV}.hosts: web-9 is not among the hosts of this file (did you mean web-1?); an agent must enrol as it`,
    ]);
    expect(warned('hosts: { role: db }')).to.deep.equal([
      `8:16 ${DEV}.hosts: no host of this file has these labels; an agent must enrol with them`,
    ]);
    expect(warned('hosts: { role: web }')).to.deep.equal([]);
    expect(warned('user: shop')).to.deep.equal([]);
  });
});
