import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { gate, migrate } from '../system/gated-service.js';
import type { Allowing } from './agent-unit.js';
import { SERVERS, USER, type Fleet, type Server } from './fleet.js';
import { Gates, GATES } from './gates.js';
import { makeRepository, type Repository } from './kinds.js';
import type { Host } from './lab/host.js';

/** An etl whose script is run once it is live, and a job whose units come from the repository. */
export const BATCH = ['loader', 'reports'] as const;
export type BatchName = (typeof BATCH)[number];

/** Commands of both that stand still at a closed gate. `ready` is a hook before anything live is touched. */
export const STOPS = ['install', 'migrate', 'ready', 'health', 'run'] as const;
export type Stop = (typeof STOPS)[number];

/** The two, each with a repository of its own and a database that is a file of the first server. */
export interface Batch {
  /** What a server must allow so that both can be deployed there. */
  readonly allowing: Allowing;
  /** Their part of a configuration, below `fraises:`. */
  configuration(hosts: readonly Server[]): string;
  repository(name: BatchName): string;
  /** Commits to `main`, with one more migration and another schedule, and returns the full SHA. */
  commit(name: BatchName, how?: { readonly brokenOn?: Server }): Promise<string>;
  gates(name: BatchName, host: Host): Gates<Stop>;
  /** What is applied to the database, in order. */
  migrations(name: BatchName): Promise<readonly string[]>;
  /** That exactly this is live on a host: the code, and of `reports` the units and the timer; and that it runs. */
  expectLive(name: BatchName, host: Host, commit: string): Promise<void>;
}

/** Makes the repositories, and a folder of gates on every server. */
export async function makeBatch(fleet: Fleet): Promise<Batch> {
  const [loader, reports] = [await makeRepository(fleet, 'loader'), await makeRepository(fleet, 'reports')];
  const repositories: Readonly<Record<BatchName, Repository>> = { loader, reports };
  const folders = BATCH.map((name) => gatesOf(name));
  for (const server of SERVERS)
    await fleet.server(server).must(['install', '-d', '-o', USER, GATES, ...folders]);
  /** The year in which the timer of a commit of `reports` elapses; as many migrations as commits. */
  const years = new Map<string, number>();
  const commits = { loader: 0, reports: 0 };
  return {
    allowing: [
      ...BATCH.flatMap((name) => ['--repository', repositories[name].url, '--path', `/srv/${name}`]),
      ...['--user', USER, '--unit', 'reports', '--unit', 'reports.timer'],
      ...['--unit-file', 'reports.timer', '--unit-file', 'reports.service'],
      ...['sh install.sh', 'sh ready.sh', 'sh healthy.sh', 'sh migrate.sh *', 'run.sh'].flatMap((line) => [
        '--command',
        line,
      ]),
    ],
    configuration: (hosts) => BATCH.map((name) => fraise(name, repositories[name].url, hosts)).join(''),
    repository: (name) => repositories[name].url,
    async commit(name, { brokenOn = 'none' } = {}) {
      const number = ++commits[name];
      const migrations = Array.from({ length: number }, (_, at) => `m${at + 1}\n`).join('');
      const broken = { 'broken-on.txt': `${brokenOn}\n`, 'migrations.txt': migrations };
      const commit = await repositories[name].commit({ ...sources(name), ...units(number), ...broken });
      years.set(commit, yearOf(number));
      return commit;
    },
    gates: (name, host) => new Gates<Stop>(host, gatesOf(name)),
    async migrations(name) {
      const file = join(fleet.server(SERVERS[0]).root, gatesOf(name), 'database');
      return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    },
    async expectLive(name, host, commit) {
      if (name === 'reports') await expectTimer(host, years.get(commit) ?? 0);
      const run = name === 'reports' ? ['systemctl', 'start', 'reports.service'] : byHand(name);
      await host.must(['sh', '-ec', run.join(' ')]);
      expect(await host.must(['cat', `${gatesOf(name)}/said`]), `${name} on ${host.name}`).to.equal(commit);
    },
  };
}

function gatesOf(name: BatchName): string {
  return `${GATES}/${name}`;
}

function byHand(name: BatchName): readonly string[] {
  return ['cd', `/srv/${name}/current`, '&&', 'runuser', '-u', USER, '--', 'sh', 'run.sh'];
}

/** systemd has the unit files of that year, and goes by them. */
async function expectTimer(host: Host, year: number): Promise<void> {
  const [timer, service] = ['timer', 'service'].map((kind) => `/etc/systemd/system/reports.${kind}`);
  const texts = await host.must(['cat', timer ?? '', service ?? '']);
  expect(texts, `unit files on ${host.name}`)
    .to.contain(`OnCalendar=${year}-`)
    .and.contain(`Reports of ${year}\n`);
  const asked = '--property=ActiveState,UnitFileState,NextElapseUSecRealtime';
  const shown = await host.must(['systemctl', 'show', asked, 'reports.timer']);
  expect(shown, `timer on ${host.name}`)
    .to.contain('ActiveState=active')
    .and.contain('UnitFileState=enabled')
    .and.match(new RegExp(`NextElapseUSecRealtime=.*${year}-`));
}

function sources(name: BatchName): Readonly<Record<string, string>> {
  const folder = gatesOf(name);
  const broken = '[ "$(cat broken-on.txt)" != "$(cat /etc/hostname)" ]';
  // The script of the one, the health of the other: what is found out last.
  const [run, health] = name === 'loader' ? [broken, ':'] : [':', broken];
  return {
    'install.sh': `${gate(folder, 'install')}printf %s "$FRAISIER_COMMIT" >commit.txt\n`,
    'ready.sh': gate(folder, 'ready'),
    'migrate.sh': migrate(folder),
    'healthy.sh': `${gate(folder, 'health')}${health}\n`,
    'run.sh': `#!/bin/sh\nset -e\n${gate(folder, 'run')}cat commit.txt >${folder}/said\n${run}\n`,
  };
}

function yearOf(number: number): number {
  return 2100 + number;
}

function units(number: number): Readonly<Record<string, string>> {
  const year = yearOf(number);
  const start = `Type=oneshot\nUser=${USER}\nWorkingDirectory=/srv/reports/current\nExecStart=/bin/sh run.sh`;
  return {
    'units/reports.service': `[Unit]\nDescription=Reports of ${year}\n\n[Service]\n${start}\n`,
    'units/reports.timer': `[Timer]\nOnCalendar=${year}-01-01\n\n[Install]\nWantedBy=timers.target\n`,
  };
}

function fraise(name: BatchName, url: string, hosts: readonly Server[]): string {
  const own = {
    loader: ['script_path: run.sh', 'run: after_deploy', 'run_timeout: 30s'],
    reports: ['units: units', 'jobs: { daily: { systemd_timer: reports.timer } }'],
  }[name];
  const tool = ['up', 'down', 'status'].map((way) => `${way}: [sh, migrate.sh, ${way}]`);
  const settings = [
    `app_path: /srv/${name}`,
    ...['branch: main', `hosts: [${hosts.join(', ')}]`, `user: ${USER}`, 'keep_releases: 2'],
    'install: { command: [sh, install.sh], timeout: 30s }',
    'hooks: { before_activate: [sh, ready.sh] }',
    'health_check: { command: [sh, healthy.sh], attempts: 2, delay: 200ms, timeout: 30s }',
    `database: { tool: command, ${tool.join(', ')}, timeout: 30s }`,
    'while_running: { wait: 4s }',
    ...own,
  ];
  const type = { loader: 'etl', reports: 'scheduled' }[name];
  const lines = settings.map((line) => `        ${line}\n`).join('');
  return `  ${name}:\n    type: ${type}\n    repository: ${url}\n    environments:\n      production:\n${lines}`;
}
