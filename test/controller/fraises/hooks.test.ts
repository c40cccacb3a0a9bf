import { expect } from 'chai';
import { differences } from '../../../controller/fraises/differences.js';
import type { Hook } from '../../../controller/fraises/fraises.js';
import { configurationOf, environmentWith, problemsOf, warningsOf, withSettings } from './samples.js';

const HEALTHY = 'health_check: { url: "http://127.0.0.1/" }';
const DEV = 'fraises.shop.environments.dev.';

const faults = (...lines: readonly string[]): string[] =>
  problemsOf(withSettings(...lines)).map((line) => line.replace(DEV, ''));
const warnings = (...lines: readonly string[]): string[] =>
  warningsOf(withSettings(...lines, HEALTHY)).map((line) => line.replace(DEV, ''));
const changes = (before: string, after: string): readonly string[] =>
  differences(configurationOf(withSettings(before)), configurationOf(withSettings(after)));

function plain(more: Partial<Hook>): Hook {
  return {
    command: { argv: ['x'] },
    user: null,
    timeoutMs: 60_000,
    environment: {},
    repeatable: false,
    ...more,
  };
}

describe('hooks', () => {
  it('are a list of words, a string for a shell, or a map that says more', () => {
    const { hooks } = environmentWith(
      'hooks:',
      '  before_deploy: [bin/look, "a b"]',
      "  before_activate: 'sync; sleep 1'",
      '  after_health: { command: x y, user: ops, timeout: 5s, environment: { CHANNEL: "#ops" }, repeatable: true }',
    );
    expect(hooks).to.deep.equal({
      before_deploy: [plain({ command: { argv: ['bin/look', 'a b'] } })],
      before_activate: [plain({ command: { shell: 'sync; sleep 1' } })],
      after_health: [
        plain({
          command: { shell: 'x y' },
          user: 'ops',
          timeoutMs: 5000,
          environment: { CHANNEL: '#ops' },
          repeatable: true,
        }),
      ],
    });
  });

  it('are several at one point when a list holds lists and maps', () => {
    const { hooks } = environmentWith('hooks: { on_failure: [[a, b], { command: c }, [d]] }');
    expect(hooks.on_failure?.map(({ command }) => command)).to.deep.equal([
      { argv: ['a', 'b'] },
      { shell: 'c' },
      { argv: ['d'] },
    ]);
    expect(faults('hooks: { on_failure: [a, [b]] }')).to.deep.equal([
      '7:30 hooks.on_failure: must be one command as a list of words, or a list of hooks: each a list of words or a map',
    ]);
  });

  it('take the original’s names for two of the points, one at a time', () => {
    const { hooks } = environmentWith('hooks: { after_deploy: [a], after_rollback: [b] }');
    expect(Object.keys(hooks)).to.deep.equal(['after_health', 'on_rollback']);
    expect(
      faults('hooks: { after_deploy: [a], after_health: [b], on_rollback: [c], after_rollback: [d] }'),
    ).to.deep.equal([
      "7:18 hooks.after_deploy: is the original's name for after_health; keep one of them",
      "7:74 hooks.after_rollback: is the original's name for on_rollback; keep one of them",
    ]);
  });

  it('are refused at a point that there is not, or without a sound command', () => {
    expect(faults('hooks: { before_restrat: [a] }')).to.deep.equal([
      '7:18 hooks.before_restrat: unknown key (did you mean before_restart?)',
    ]);
    expect(faults('hooks: { before_restart: { comand: a } }')).to.have.length(2);
    expect(faults('hooks: { before_restart: 5 }')[0]).to.match(
      /^7:34 hooks.before_restart: must be a list of words .*, a map, or a list of hooks$/,
    );
    expect(faults('hooks: { before_restart: [] }')).to.have.length(1);
    expect(faults('hooks: { before_restart: { command: a, environment: { FRAISIER_X: a } } }')[0]).to.match(
      /must be the name of a variable, and not FRAISIER_…/,
    );
    expect(problemsOf(`hooks: { before_deploy: [a] }\n${withSettings()}`)[0]).to.match(
      /^1:1 hooks: not possible here .* say hooks at a fraise or an environment$/,
    );
  });

  it('may name the variables of a shell, and of nothing else', () => {
    const shells = [
      'before_deploy: "echo ${HOME}"',
      'before_restart: { command: "echo ${HOME}" }',
      'after_restart: [{ command: "echo ${HOME}" }]',
    ];
    for (const line of shells) expect(faults(`hooks: { ${line} }`), line).to.deep.equal([]);
    for (const line of [
      'before_deploy: [echo, "${HOME}"]',
      'before_deploy: { command: [echo, "${HOME}"] }',
      'before_deploy: { command: a, environment: { X: "${HOME}" } }',
      'before_deploy: { command: a, environment: { command: "${HOME}" } }',
    ])
      expect(faults(`hooks: { ${line} }`)[0], line).to.contain('${…} is only filled in');
  });

  it('that no deployment comes by are a warning', () => {
    expect(warnings('hooks: { before_migrate: [a], after_restart: [b], after_health: [c] }')).to.deep.equal([
      '7:18 hooks.before_migrate: never run: there is no database to migrate',
      '7:39 hooks.after_restart: never run: nothing is restarted',
    ]);
    const all = 'hooks: { before_migrate: [a], after_migrate: [b], before_restart: [c] }';
    expect(warnings(all, 'systemd_service: a', 'database: { strategy: none }')).to.have.length(2);
    expect(
      warnings(
        all,
        'restart: { command: a }',
        'database: { tool: command, up: [a], down: [b], status: [c] }',
      ),
    ).to.deep.equal([]);
  });

  it('that changed are told, each with its part', () => {
    expect(changes('', 'hooks: { before_deploy: [a] }')).to.deep.equal([
      '~ shop dev: hooks.before_deploy.command none -> a',
      '~ shop dev: hooks.before_deploy.timeout none -> 1m',
    ]);
    expect(
      changes(
        'hooks: { before_deploy: [[a], [b]] }',
        'hooks: { before_deploy: [[a], { command: [b], user: u, repeatable: true, environment: { A: "1", B: "x y" } }] }',
      ),
    ).to.deep.equal([
      '~ shop dev: hooks.before_deploy.2.user none -> u',
      '~ shop dev: hooks.before_deploy.2.environment none -> A=1 "B=x y"',
      '~ shop dev: hooks.before_deploy.2.repeatable none -> true',
    ]);
  });
});

describe('the restart of a unit', () => {
  it('is a restart of the service alone, or what is said', () => {
    expect(environmentWith('systemd_service: shop')).to.include({
      restartMode: 'restart',
      systemdSocket: null,
    });
    expect(
      environmentWith('systemd_service: shop', 'systemd_socket: shop.socket', 'restart_mode: try_restart'),
    ).to.include({ restartMode: 'try_restart', systemdSocket: 'shop.socket' });
  });

  it('has no mode and no socket where there is no service', () => {
    expect(faults('restart_mode: reload', 'systemd_socket: a.socket')).to.deep.equal([
      '7:9 restart_mode: has no meaning without systemd_service',
      '8:9 systemd_socket: has no meaning without systemd_service',
    ]);
    expect(faults('systemd_service: a', 'restart_mode: stop')[0]).to.match(
      /must be one of restart, reload, try_restart/,
    );
    expect(faults('systemd_service: a', 'systemd_socket: a')[0]).to.match(/the name of a systemd socket/);
  });

  it('by a command nearer to the environment leaves the service of the fraise and all that is about it', () => {
    const text = withSettings('restart: { command: a }').replace(
      'type: api',
      'type: api\n    systemd_service: s\n    systemd_socket: s.socket\n    restart_mode: reload',
    );
    const environment = configurationOf(text).fraises['shop']?.environments['dev'];
    expect(environment).to.include({ systemdService: null, systemdSocket: null, restartMode: 'restart' });
  });

  it('that changed is told', () => {
    const text = (...lines: string[]) => configurationOf(withSettings('systemd_service: a', ...lines));
    expect(differences(text(), text('restart_mode: reload', 'systemd_socket: a.socket'))).to.deep.equal([
      '~ shop dev: systemd_socket none -> a.socket',
      '~ shop dev: restart_mode none -> reload',
    ]);
  });
});

describe('the sub-folder of a repository', () => {
  it('is a path inside it', () => {
    expect(environmentWith('root: services/shop/').root).to.equal('services/shop');
    expect(environmentWith().root).to.equal(null);
    expect(faults('root: /services')).to.have.length(1);
    expect(faults('root: ../x')).to.have.length(1);
    expect(changes('', 'root: services/shop')).to.deep.equal(['~ shop dev: root none -> services/shop']);
  });
});
