import { expect } from 'chai';
import { differences } from '../../../controller/fraises/differences.js';
import { configurationOf, shipped, withSettings } from './samples.js';

const example = shipped('fraises.example.yaml');

/** Lines for the change of an environment from some settings to others. */
function changes(before: string, after: string): string[] {
  return differences(configurationOf(withSettings(before)), configurationOf(withSettings(after)));
}

describe('differences', () => {
  it('lists everything of a first configuration', () => {
    expect(differences(null, configurationOf(example))).to.deep.equal([
      '+ name shop',
      '+ git github',
      '+ git gitlab',
      '+ git gitea',
      '+ git bitbucket',
      '+ host web-1',
      '+ host web-2',
      '+ host batch-1',
      '+ checkout production',
      '+ checkout staging',
      '+ website production',
      '+ nightly production',
      '+ reports production',
      '+ backups production',
      '+ branch main -> checkout production',
      '+ branch release -> website production',
    ]);
  });

  it('are none between two texts that mean the same', () => {
    expect(differences(configurationOf(example), configurationOf(`${example}\n# later\n`))).to.deep.equal([]);
    expect(changes('timeout: 10m', 'timeout: 600')).to.deep.equal([]);
    expect(changes('layout: in_place', 'rollout: {}')).to.deep.equal([]);
    expect(changes('submodules: false', 'clone: {}')).to.deep.equal([]);
  });

  it('say what came, what went and what changed', () => {
    const after = example
      .replace('name: shop', 'name: store')
      .replace('provider: github', 'provider: gitlab')
      .replace('zone: a', 'zone: c')
      .replace('batch-1: {}', 'batch-2: {}')
      .replace('branch: main', 'branch: release')
      .replaceAll('website', 'homepage');
    expect(differences(configurationOf(example), configurationOf(after))).to.deep.equal([
      '~ name shop -> store',
      '~ git: provider github -> gitlab',
      '- host batch-1',
      '~ host web-1: label zone a -> c',
      '+ host batch-2',
      '- website production',
      '~ checkout production: provider github -> gitlab',
      '~ checkout production: branch main -> release',
      '~ checkout staging: provider github -> gitlab',
      '+ homepage production',
      '~ nightly production: provider github -> gitlab',
      '~ reports production: provider github -> gitlab',
      '~ backups production: provider github -> gitlab',
      '- branch release -> website production',
      '+ branch release -> homepage production',
    ]);
  });

  for (const [before, after, line] of [
    ['', 'tags: "v*"', 'branch main -> none'],
    ['hosts: [a, b]', '', 'hosts a, b -> the only agent'],
    ['hosts: a', 'hosts: { role: web, zone: a }', 'hosts a -> role=web, zone=a'],
    [
      'install: { command: [echo, a b] }',
      'install: { command: echo }',
      'install.command echo "a b" -> "echo"',
    ],
    ['install: { command: a }', 'install: { command: a, user: b }', 'install.user none -> b'],
    ['timeout: 90s', 'timeout: 2h', 'timeout 90s -> 2h'],
    ['timeout: 1500ms', 'timeout: 1m', 'timeout 1500ms -> 1m'],
    ['', 'rollout: { bake: 5s }', 'rollout.bake 0ms -> 5s'],
    ['', 'rollout: { max_failures: 25% }', 'rollout.max_failures 0 -> 25%'],
    ['', 'rollout: { zones: [b, a] }', 'rollout.zones none -> b, a'],
    ['', 'rollout: { min_healthy: 2 }', 'rollout.min_healthy 0 -> 2'],
    ['', 'rollout: { progress_deadline: 5m }', 'rollout.progress_deadline none -> 5m'],
    ['', 'rollout: { catch_up: true }', 'rollout.catch_up none -> true'],
    ['rollout: { batch: 2 }', 'rollout: { batch: [1, 50%] }', 'rollout.batch 2 -> 1, 50%'],
    ['', 'health_check: { url: "http://x/" }', 'health_check.url none -> http://x/'],
    ['database: { tool: command, up: [a] }', 'database: { tool: command, up: [b] }', 'database.up a -> b'],
    ['database: { tool: sql }', 'database: { tool: sql, command: [x, y] }', 'database.command none -> x y'],
    [
      'database: { tool: sql }',
      'database: { tool: sql, lock_timeout: 5s }',
      'database.lock_timeout none -> 5s',
    ],
    [
      'database: { tool: sql }',
      'database: { tool: sql, allow_irreversible: true }',
      'database.allow_irreversible none -> true',
    ],
    [
      'database: { tool: sql, backup_before: { command: [a], timeout: 1m } }',
      'database: { tool: sql, backup_before: { command: [a], timeout: 1m, verify: "b" } }',
      'database.backup_before.verify none -> "b"',
    ],
    [
      'database: { tool: command, up: [a] }',
      'database: { tool: command, up: [a], down: [b] }',
      'database.down none -> b',
    ],
    [
      'database: { tool: command, up: [a], status: [b] }',
      'database: { tool: command, up: [a] }',
      'database.status b -> none',
    ],
  ] as const) {
    it(`say "${line}"`, () => {
      expect(changes(before, after)).to.contain(`~ shop dev: ${line}`);
    });
  }

  it('say that a secret changed without showing it', () => {
    const secret = (value: string) =>
      configurationOf(`git: { github: { webhook_secret: ${value} } }\n${withSettings()}`);
    const lines = differences(secret('hunter2-hunter2-hunter2'), secret('[hunter3-hunter3-hunter3]'));
    expect(lines).to.deep.equal(['~ git github: webhook_secret changed']);
    expect(differences(secret('"${A}"'), configurationOf(withSettings()))).to.deep.equal(['- git github']);
  });
});
