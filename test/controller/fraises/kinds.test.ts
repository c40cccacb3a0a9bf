import { expect } from 'chai';
import { differences } from '../../../controller/fraises/differences.js';
import { findEnvironment } from '../../../controller/fraises/find-environment.js';
import type { Environment } from '../../../controller/fraises/fraises.js';
import { configurationOf, problemsOf, warningsOf } from './samples.js';

/** One fraise `shop` of a type with an environment `dev` that holds these lines. */
function textOf(type: string, ...lines: readonly string[]): string {
  const inner = ['app_path: /srv/shop', ...lines].map((line) => `        ${line}`).join('\n');
  return `fraises:\n  shop:\n    type: ${type}\n    environments:\n      dev:\n${inner}\n`;
}

function environmentOf(type: string, ...lines: readonly string[]): Environment {
  return findEnvironment(configurationOf(textOf(type, ...lines)), 'shop', 'dev');
}

/** Without the path that all share. */
const short = (found: readonly string[]) =>
  found.map((one) => one.replace(/^\d+:\d+ fraises\.shop\.environments\.dev\.?/, ''));
const problems = (type: string, ...lines: readonly string[]) => short(problemsOf(textOf(type, ...lines)));
const warnings = (type: string, ...lines: readonly string[]) => short(warningsOf(textOf(type, ...lines)));

describe('an etl in fraises.yaml', () => {
  it('has a script that is only looked at, unless it says more', () => {
    const { script, jobs, units, whileRunning, type } = environmentOf('etl', 'script_path: jobs/run.py');
    expect({ script, jobs, units, whileRunning, type }).to.deep.equal({
      type: 'etl',
      script: { path: 'jobs/run.py', run: 'verify', timeoutMs: 600_000, repeatable: false },
      jobs: [],
      units: null,
      whileRunning: { waitMs: 300_000, pastWait: 'fail' },
    });
    expect(problems('etl', 'script_path: run.py')).to.deep.equal([]);
    expect(warnings('etl', 'script_path: run.py')).to.deep.equal([]);
  });

  it('says how it is run and what becomes of a run in progress', () => {
    const run = ['run: after_deploy', 'run_timeout: 1h', 'run_repeatable: true'];
    const lines = ['script_path: run.py', ...run, 'while_running: { wait: 1m, then: stop }', 'timeout: 2h'];
    const { script, whileRunning } = environmentOf('etl', ...lines);
    expect(script).to.deep.equal({
      path: 'run.py',
      run: 'after_deploy',
      timeoutMs: 3_600_000,
      repeatable: true,
    });
    expect(whileRunning).to.deep.equal({ waitMs: 60_000, pastWait: 'stop' });
    expect(environmentOf('etl', 'script_path: a', 'timeout: 4m').whileRunning.waitMs).to.equal(120_000);
  });

  it('keeps the unit that is restarted', () => {
    expect(environmentOf('etl', 'script_path: a', 'systemd_service: worker').systemdService).to.equal(
      'worker.service',
    );
  });

  it('needs its script, inside the repository, and words that mean something', () => {
    expect(problems('etl')).to.deep.equal([
      'script_path: is missing; an etl needs the path of its script in the repository',
    ]);
    expect(problems('etl', 'script_path: ../run.py')[0]).to.match(
      /^script_path: must be a path inside the release/,
    );
    expect(problems('etl', 'script_path: a', 'run: always')[0]).to.match(
      /^run: must be one of verify, after_deploy/,
    );
    const then = problems('etl', 'script_path: a', 'while_running: { then: kill }');
    expect(then[0]).to.match(/^while_running\.then: must be one of fail, continue, stop/);
  });

  it('is told what it says in vain', () => {
    expect(warnings('etl', 'script_path: a', 'run_timeout: 5m', 'run_repeatable: true')).to.deep.equal([
      'run_timeout: not used unless run: after_deploy',
      'run_repeatable: not used unless run: after_deploy',
    ]);
    expect(warnings('etl', 'script_path: a', 'units: deploy', 'systemd_timer: a.timer')).to.deep.equal([
      'units: not used with type: etl; it is for scheduled',
      'systemd_timer: not used with type: etl; it is for scheduled',
    ]);
    expect(warnings('etl', 'script_path: a', 'while_running: { wait: 10m }')).to.deep.equal([
      'while_running.wait: is not shorter than the timeout of the deployment, which ends the wait before it is over',
    ]);
  });
});

describe('a scheduled fraise in fraises.yaml', () => {
  it('has jobs: a timer, and the service of its name or another', () => {
    const lines = [
      'jobs:',
      '  daily: { systemd_timer: d.timer }',
      '  weekly: { systemd_timer: w.timer, systemd_service: x }',
    ];
    const { jobs, units, systemdService } = environmentOf('scheduled', ...lines, 'units: deploy/systemd/');
    expect(jobs).to.deep.equal([
      { name: 'daily', timer: 'd.timer', service: 'd.service', timerFile: null, serviceFile: null },
      { name: 'weekly', timer: 'w.timer', service: 'x.service', timerFile: null, serviceFile: null },
    ]);
    expect([units, systemdService]).to.deep.equal(['deploy/systemd', null]);
    expect(problems('scheduled', ...lines)).to.deep.equal([]);
    expect(warnings('scheduled', ...lines)).to.deep.equal([]);
  });

  it('names files of the repository one by one, if it likes', () => {
    const lines = [
      'jobs:',
      '  daily: { description: Daily, systemd_timer: d.timer, timer_file: a/t, service_file: a/s }',
    ];
    expect(environmentOf('scheduled', ...lines).jobs[0]).to.include({ timerFile: 'a/t', serviceFile: 'a/s' });
  });

  it('says its one job without a map', () => {
    const pair = environmentOf('scheduled', 'systemd_timer: daily.timer', 'systemd_service: reports.service');
    expect(pair.jobs).to.deep.equal([
      { name: 'daily', timer: 'daily.timer', service: 'reports.service', timerFile: null, serviceFile: null },
    ]);
    expect(pair.systemdService).to.equal(null);
    expect(environmentOf('scheduled', 'systemd_timer: daily.timer').jobs[0]?.service).to.equal(
      'daily.service',
    );
  });

  it('needs a job, and each its own timer', () => {
    expect(problems('scheduled')).to.deep.equal([
      'jobs: is missing; a scheduled fraise needs jobs, or a systemd_timer with its systemd_service',
    ]);
    expect(problems('scheduled', 'jobs: {}')[0]).to.equal('jobs: must not be empty');
    expect(problems('scheduled', 'jobs: { a: { systemd_service: a } }')[0]).to.match(
      /systemd_timer: is missing/,
    );
    expect(problems('scheduled', 'systemd_timer: a.service')[0]).to.match(
      /must be the name of a systemd timer/,
    );
    const twice = problems(
      'scheduled',
      'jobs:',
      '  a: { systemd_timer: x.timer }',
      '  b: { systemd_timer: x.timer }',
    );
    expect(twice).to.deep.equal(['jobs.b.systemd_timer: is the timer of the job a already']);
    const beside = problems(
      'scheduled',
      'jobs: { a: { systemd_timer: a.timer } }',
      'systemd_timer: b.timer',
      'systemd_service: b',
    );
    expect(beside).to.deep.equal([
      'systemd_timer: stands beside jobs; name it in one of them',
      'systemd_service: stands beside jobs; name it in one of them',
    ]);
  });

  it('is told what it says in vain', () => {
    const lines = ['systemd_timer: a.timer', 'restart: { command: [a] }', 'script_path: a', 'run: verify'];
    expect(warnings('scheduled', ...lines)).to.deep.equal([
      'restart: not used with type: scheduled; it is for api and etl',
      'script_path: not used with type: scheduled; it is for etl',
      'run: not used with type: scheduled; it is for etl',
    ]);
    const original = [
      'jobs:',
      '  a: { systemd_timer: a.timer, schedule: "0 3 * * *", script_path: a.py, retention_days: 3 }',
    ];
    expect(warnings('scheduled', ...original)).to.deep.equal([
      'jobs.a.schedule: not used: the timer says when its job runs',
      'jobs.a.script_path: not used: the service says what it starts',
      "jobs.a.retention_days: not used: a setting of the original's own process on each host",
    ]);
  });
});

describe('what is of another kind', () => {
  it('is a warning for an api', () => {
    const found = warnings(
      'api',
      'jobs: { a: { systemd_timer: a.timer } }',
      'while_running: { wait: 1s }',
      'health_check: { url: "http://a/" }',
    );
    expect(found).to.deep.equal([
      'jobs: not used with type: api; it is for scheduled',
      'while_running: not used with type: api; it is for etl and scheduled',
    ]);
    expect(environmentOf('api', 'jobs: { a: { systemd_timer: a.timer } }', 'units: a')).to.deep.include({
      jobs: [],
      units: null,
      script: null,
    });
  });

  it('is not possible at all where the type is not known', () => {
    expect(problemsOf(textOf('backup'))[0]).to.match(
      /type: backup is not available in this version; use type: scheduled/,
    );
    expect(problemsOf(textOf('cron'))[0]).to.match(/must be one of api, etl, scheduled/);
  });
});

describe('the differences of a kind', () => {
  const lines = (type: string, before: readonly string[], after: readonly string[]) =>
    differences(configurationOf(textOf(type, ...before)), configurationOf(textOf(type, ...after)));

  it('are those of the script', () => {
    expect(
      lines(
        'etl',
        ['script_path: a'],
        ['script_path: b', 'run: after_deploy', 'run_repeatable: true', 'while_running: { then: stop }'],
      ),
    ).to.deep.equal([
      '~ shop dev: script_path a -> b',
      '~ shop dev: run verify -> after_deploy',
      '~ shop dev: while_running.then fail -> stop',
      '~ shop dev: run_timeout none -> 10m',
      '~ shop dev: run_repeatable none -> true',
    ]);
    const run = ['script_path: a', 'run: after_deploy'];
    expect(lines('etl', [...run, 'run_repeatable: true'], run)).to.deep.equal([
      '~ shop dev: run_repeatable true -> none',
    ]);
  });

  it('are those of the jobs', () => {
    const before = ['jobs: { a: { systemd_timer: a.timer } }'];
    const after = ['jobs: { a: { systemd_timer: b.timer, timer_file: x } }', 'units: deploy'];
    expect(lines('scheduled', before, after)).to.have.members([
      '~ shop dev: jobs.a.systemd_timer a.timer -> b.timer',
      '~ shop dev: jobs.a.systemd_service a.service -> b.service',
      '~ shop dev: jobs.a.timer_file none -> x',
      '~ shop dev: units none -> deploy',
    ]);
  });
});
