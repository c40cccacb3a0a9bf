import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { plainEnvironment } from '../support/fraisier-program.js';
import { mustRun } from '../support/run-command.js';
import { installAgent } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';
import { exported, gitDaemon } from './git-daemon.js';

/** Where runs stand still while `hold` is there, and say what they did in `done`. */
export const MARKS = '/srv/marks';

/** The script of the etl fraises and of the jobs: waits while it is held, then says its first argument and its release. */
export const SCRIPT = `import os, sys, time
name = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FRAISIER_FRAISE", "hand")
open("${MARKS}/" + name + ".begun", "a").write(".")
while os.path.exists("${MARKS}/" + name + ".hold"):
    time.sleep(0.05)
open("${MARKS}/" + name + ".done", "a").write(os.path.basename(os.path.dirname(os.path.realpath(__file__))) + "\\n")
`;

/** A timer that elapses far in the future, or when the test says. */
export function timer(when = '2099-01-01 00:00:00'): string {
  return `[Unit]\nDescription=Starts a job\n\n[Timer]\nOnCalendar=${when}\n\n[Install]\nWantedBy=timers.target\n`;
}

/** A job: the script of the live release. */
export function service(name: string, description = 'A job'): string {
  const start = `/usr/bin/python3 run.py ${name}`;
  return `[Unit]\nDescription=${description}\n\n[Service]\nType=oneshot\nUser=${USER}\nWorkingDirectory=/srv/reports/current\nExecStart=${start}\n`;
}

export const UNITS: Readonly<Record<string, string>> = {
  'deploy/systemd/reports-daily.timer': timer(),
  'deploy/systemd/reports-daily.service': service('reports-daily'),
  'deploy/systemd/reports-weekly.timer': timer('2098-01-01 00:00:00'),
  'deploy/systemd/reports-weekly.service': service('reports-weekly'),
};

/** A repository that the hosts can reach. */
export interface Repository {
  readonly url: string;
  /** Commits to `main` what is said (null: removed) and returns the full SHA. */
  readonly commit: (files: Readonly<Record<string, string | null>>) => Promise<string>;
}

/** Where the three kinds come from: `loader` over HTTP, all else from a real `git daemon`. */
export interface Kinds {
  readonly fleet: Fleet;
  readonly etl: Repository;
  readonly reports: Repository;
  readonly site: Repository;
  stop(): Promise<void>;
}

/** A fleet with an agent on h1 that may be given two etl fraises, a scheduled one and an api; leaves nothing behind when it throws. */
export async function startKinds(): Promise<Kinds> {
  const fleet = await startFleet();
  const daemon = gitDaemon(fleet);
  const stop = async (): Promise<void> => {
    await daemon.stop();
    await fleet.stop();
  };
  try {
    await daemon.start();
    const loader = await makeRepository(fleet, 'etl');
    const etl = { ...loader, url: await exported(fleet, 'etl') };
    const reports = await fromDaemon(fleet, 'reports');
    const site = await fromDaemon(fleet, 'site');
    await prepare(fleet);
    const repositories = [etl, loader, reports, site].flatMap(({ url }) => ['--repository', url]);
    await installAgent(fleet, 'h1', [...repositories, ...ALLOWING]);
    await fleet.apply(configuration({ etl, loader, reports, site }));
    return { fleet, etl, reports, site, stop };
  } catch (error) {
    const why = new Error(`${String(error)}\n\n${await fleet.logs()}`, { cause: error });
    await stop();
    throw why;
  }
}

const ALLOWING = [
  ...['--user', USER, '--command', 'run.py'],
  ...['/srv/nightly', '/srv/loader', '/srv/reports', '/srv/site'].flatMap((path) => ['--path', path]),
  ...['reports-daily', 'reports-weekly'].flatMap((job) => ['--unit', job, '--unit', `${job}.timer`]),
  ...['--unit-file', 'reports-*.timer', '--unit-file', 'reports-*.service', '--unit', 'site'],
];

/** What every host has that the three run on. */
async function prepare(fleet: Fleet): Promise<void> {
  const h1 = fleet.server('h1');
  await h1.must(['install', '-d', '-o', USER, MARKS]);
  const start = 'WorkingDirectory=/srv/site/current\nExecStart=/bin/sh serve.sh';
  await writeFile(join(h1.root, 'etc/systemd/system/site.service'), `[Service]\nUser=${USER}\n${start}\n`);
  await h1.must(['systemctl', 'daemon-reload']);
}

async function fromDaemon(fleet: Fleet, name: string): Promise<Repository> {
  return { ...(await makeRepository(fleet, name)), url: await exported(fleet, name) };
}

/** A repository that is served over HTTP; new. */
export async function makeRepository(fleet: Fleet, name: string): Promise<Repository> {
  const [work, bare] = [join(fleet.repositories, `${name}-work`), join(fleet.repositories, `${name}.git`)];
  await git(fleet.repositories, 'init', '--quiet', '--bare', '--initial-branch=main', bare);
  await git(fleet.repositories, 'init', '--quiet', '--initial-branch=main', work);
  return {
    url: `${fleet.repositoriesUrl}/${name}.git`,
    async commit(files) {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        if (text === null) await rm(join(work, path));
        else await writeFile(join(work, path), text);
      }
      await git(work, 'add', '--all');
      await git(work, 'commit', '--quiet', '--allow-empty', '-m', 'a change');
      await git(work, 'push', '--quiet', bare, 'HEAD:main');
      return (await git(work, 'rev-parse', 'HEAD')).trim();
    },
  };
}

function git(folder: string, ...args: readonly string[]): Promise<string> {
  const who = ['-c', 'user.name=Fleet', '-c', 'user.email=fleet@example.com', '-c', 'commit.gpgsign=false'];
  return mustRun(['git', ...who, ...args], { cwd: folder, environment: plainEnvironment() });
}

function configuration({
  etl,
  loader,
  reports,
  site,
}: Readonly<Record<'etl' | 'loader' | 'reports' | 'site', Repository>>): string {
  const common = `branch: main, hosts: [h1], user: ${USER}, while_running: { wait: 4s }`;
  return `name: fleet
git: { provider: github, github: { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" } }
fraises:
  site:
    type: api
    repository: ${site.url}
    environments:
      production: { app_path: /srv/site, branch: main, hosts: [h1], user: ${USER}, systemd_service: site, health_check: { systemd: true } }
  nightly:
    type: etl
    repository: ${etl.url}
    environments:
      production: { app_path: /srv/nightly, script_path: run.py, ${common} }
  loader:
    type: etl
    repository: ${loader.url}
    environments:
      production: { app_path: /srv/loader, script_path: run.py, run: after_deploy, run_timeout: 30s, ${common} }
  reports:
    type: scheduled
    repository: ${reports.url}
    environments:
      production:
        app_path: /srv/reports
        units: deploy/systemd
        branch: main
        hosts: [h1]
        user: ${USER}
        while_running: { wait: 4s }
        jobs:
          daily: { systemd_timer: reports-daily.timer }
          weekly: { systemd_timer: reports-weekly.timer, systemd_service: reports-weekly.service }
`;
}
