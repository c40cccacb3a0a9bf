import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plainEnvironment } from '../support/fraisier-program.js';
import { mustRun } from '../support/run-command.js';
import { installAgent } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';
import { exported, exportMark, gitDaemon } from './git-daemon.js';
import { makeRepository, type Repository } from './kinds.js';
import type { Host } from './lab/host.js';

/** One of each kind, each in a checkout of its own below /srv on h1. */
export const KINDS = ['site', 'loader', 'reports'] as const;
export type Kind = (typeof KINDS)[number];

const PORT = 8101;
export const URL = `http://127.0.0.1:${PORT}/`;

/** Serves what `status.json` says, and its commit unless that names another. */
const SERVE = `import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
const commit = readFileSync('commit.txt', 'utf8');
const { status, served } = JSON.parse(readFileSync('status.json', 'utf8'));
createServer((_, response) => {
  response.writeHead(status, { connection: 'close' }).end(JSON.stringify({ commit: served ?? commit }));
}).listen(${PORT}, '127.0.0.1');
`;

const GREEN = { 'status.json': '{"status": 200}\n', 'healthy.sh': 'exit 0\n' };

const SOURCES = {
  'serve.mjs': SERVE,
  'install.sh': 'printf %s "$FRAISIER_COMMIT" >commit.txt\n',
  'run.sh': 'exit 0\n',
  '.gitignore': 'commit.txt\n',
  ...GREEN,
};

/** A real `git daemon` with the code of all three, as their checkouts know it. */
export interface EachKind {
  readonly fleet: Fleet;
  readonly url: string;
  /** A good commit, and whatever else is said. */
  commit(files?: Readonly<Record<string, string>>): Promise<string>;
  /** Pushes a commit and another branch over it; the commit is nowhere any more. */
  forcePushed(): Promise<string>;
  /** Whether the server lets anybody read the repository. */
  serve(served: boolean): Promise<void>;
  /** The configuration as it is, or with a unit that no host has. */
  apply(how?: { readonly unit: string }): Promise<void>;
  stop(): Promise<void>;
}

/** Leaves nothing behind when it throws. */
export async function startEachKind(): Promise<EachKind> {
  const fleet = await startFleet();
  const daemon = gitDaemon(fleet);
  const stop = async (): Promise<void> => {
    await daemon.stop();
    await fleet.stop();
  };
  try {
    const code = await makeRepository(fleet, 'all');
    await code.commit(SOURCES);
    await daemon.start();
    const scene = sceneOf(fleet, code, await exported(fleet, 'all'), stop);
    await prepare(fleet.server('h1'), scene.url);
    await installAgent(fleet, 'h1', [
      ...['--repository', scene.url, '--user', USER],
      ...KINDS.flatMap((kind) => ['--path', `/srv/${kind}`, '--unit', kind]),
      ...['reports.timer', 'gone', 'gone.timer'].flatMap((unit) => ['--unit', unit]),
      ...['sh install.sh', 'sh healthy.sh', 'run.sh'].flatMap((command) => ['--command', command]),
    ]);
    await scene.apply();
    return scene;
  } catch (error) {
    const why = new Error(`${String(error)}\n\n${await fleet.logs()}`, { cause: error });
    await stop();
    throw why;
  }
}

function sceneOf(fleet: Fleet, code: Repository, url: string, stop: () => Promise<void>): EachKind {
  const [bare, work] = ['all.git', 'all-work'].map((name) => join(fleet.repositories, name)) as [
    string,
    string,
  ];
  const git = (folder: string, ...args: readonly string[]) =>
    mustRun(['git', ...args], { cwd: folder, environment: plainEnvironment() });
  let commits = 0;
  const commit: EachKind['commit'] = (files = {}) =>
    code.commit({ ...GREEN, 'count.txt': `${++commits}`, ...files });
  return {
    fleet,
    url,
    commit,
    async forcePushed() {
      const gone = await commit();
      await git(work, 'reset', '--quiet', '--hard', 'HEAD~1');
      await git(work, 'push', '--quiet', '--force', bare, 'HEAD:main');
      await git(bare, 'gc', '--quiet', '--prune=now');
      return gone;
    },
    async serve(served) {
      if (served) await exported(fleet, 'all');
      else await rm(exportMark(fleet, 'all'));
    },
    apply: (how) => fleet.apply(configuration(how?.unit)),
    stop,
  };
}

/** The checkouts, and the units: nothing of them comes from the repository. */
async function prepare(host: Host, url: string): Promise<void> {
  for (const kind of KINDS) {
    await host.must(['git', 'clone', '--quiet', url, `/srv/${kind}`]);
    await host.must(['chown', '-R', `${USER}:`, `/srv/${kind}`]);
  }
  const folder = join(host.root, 'etc/systemd/system');
  const start = 'WorkingDirectory=/srv/site\nExecStart=/usr/local/bin/node serve.mjs';
  await writeFile(join(folder, 'site.service'), `[Service]\nUser=${USER}\n${start}\n`);
  const job = 'Type=oneshot\nWorkingDirectory=/srv/reports\nExecStart=/bin/sh run.sh';
  await writeFile(join(folder, 'reports.service'), `[Service]\nUser=${USER}\n${job}\n`);
  const timer = '[Timer]\nOnCalendar=2099-01-01\n\n[Install]\nWantedBy=timers.target\n';
  await writeFile(join(folder, 'reports.timer'), timer);
  await host.must(['systemctl', 'daemon-reload']);
}

function configuration(unit?: string): string {
  const common = (kind: Kind, looks: string): string =>
    `app_path: /srv/${kind}, branch: main, hosts: [h1], user: ${USER}, health_check: { attempts: 4, delay: 300ms, ${looks} }`;
  const green = 'command: [sh, healthy.sh]';
  const wrong = unit === undefined ? '' : `, systemd_service: ${unit}`;
  return `name: fleet
git: { provider: github, github: { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" } }
fraises:
  site:
    type: api
    install: { command: [sh, install.sh] }
    environments:
      production: { ${common('site', `url: '${URL}', expect: { version_field: commit }`)}, systemd_service: ${unit ?? 'site'} }
  loader:
    type: etl
    environments:
      production: { ${common('loader', green)}, script_path: run.sh, run: after_deploy${wrong} }
  reports:
    type: scheduled
    environments:
      production: { ${common('reports', green)}, jobs: { daily: { systemd_timer: ${unit ?? 'reports'}.timer, systemd_service: reports } } }
`;
}
