import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { plainEnvironment } from '../support/fraisier-program.js';
import { mustRun } from '../support/run-command.js';
import { installAgent } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';

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

/** A fleet with an agent on h1 that may be given the two etl fraises and the scheduled one; leaves nothing behind when it throws. */
export async function startKinds(): Promise<{ fleet: Fleet; etl: Repository; reports: Repository }> {
  const fleet = await startFleet();
  try {
    const etl = await makeRepository(fleet, 'etl');
    const reports = await makeRepository(fleet, 'reports');
    await fleet.server('h1').must(['install', '-d', '-o', USER, MARKS]);
    await installAgent(fleet, 'h1', [
      ...['--repository', `${fleet.repositoriesUrl}/*`, '--user', USER, '--command', 'run.py'],
      ...['/srv/nightly', '/srv/loader', '/srv/reports'].flatMap((path) => ['--path', path]),
      ...['reports-daily', 'reports-weekly'].flatMap((job) => ['--unit', job, '--unit', `${job}.timer`]),
      ...['--unit-file', 'reports-*.timer', '--unit-file', 'reports-*.service'],
    ]);
    await fleet.apply(configuration(etl, reports));
    return { fleet, etl, reports };
  } catch (error) {
    const why = new Error(`${String(error)}\n\n${await fleet.logs()}`, { cause: error });
    await fleet.stop();
    throw why;
  }
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

function configuration(etl: Repository, reports: Repository): string {
  const common = `branch: main, hosts: [h1], user: ${USER}, while_running: { wait: 4s }`;
  return `name: fleet
fraises:
  nightly:
    type: etl
    repository: ${etl.url}
    environments:
      production: { app_path: /srv/nightly, script_path: run.py, ${common} }
  loader:
    type: etl
    repository: ${etl.url}
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
