import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from './free-ports.js';
import { plainEnvironment } from './fraisier-program.js';
import { mustRun } from './run-command.js';

export interface SampleService {
  /** A bare repository, as fraises.yaml names it. */
  readonly repository: string;
  readonly port: number;
  readonly url: string;
  /** Where it is deployed to. */
  readonly appPath: string;
  /** Commits to `main` and returns the full SHA. `healthy: false` is a release that starts and answers 500. */
  commit(message: string, how?: { readonly healthy?: boolean }): Promise<string>;
  /** What the running service answers to `GET /health`; throws when nothing listens. */
  answer(): Promise<{ readonly status: string; readonly commit: string }>;
  /** Ends the running service, if there is one. */
  stop(): Promise<void>;
}

/** A small web service in a local git repository: Node alone, restarted by a script of its own. `apps` is where agents deploy. */
export async function sampleService(folder: string, apps: string, name = 'hello'): Promise<SampleService> {
  const work = join(folder, `${name}-work`);
  const repository = join(folder, `${name}.git`);
  const appPath = join(apps, name);
  const [port = 0] = await freePorts(1);
  await mkdir(work, { recursive: true });
  await git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', repository);
  await git(folder, 'init', '--quiet', '--initial-branch=main', work);
  await git(work, 'remote', 'add', 'origin', repository);
  for (const [file, text] of Object.entries(sources(port)))
    await writeFile(join(work, file), text, { mode: 0o755 });
  return {
    repository,
    port,
    url: `http://127.0.0.1:${port}/health`,
    appPath,
    commit: (message, how = {}) => commit(work, message, how.healthy ?? true),
    answer: () => answerOf(port),
    stop: () => stopService(join(appPath, 'service.pid')),
  };
}

/** One fraise of `fraises.yaml` for the sample; `more` is added to the environment, line by line. */
export function sampleFraise(
  service: SampleService,
  name = 'hello',
  hosts = ['web-1'],
  more: readonly string[] = [],
): string {
  const lines = [
    `  ${name}:`,
    '    type: api',
    '    description: A small web service',
    `    repository: ${JSON.stringify(service.repository)}`,
    '    environments:',
    '      production:',
    '        branch: main',
    `        hosts: ${JSON.stringify(hosts)}`,
    `        app_path: ${JSON.stringify(service.appPath)}`,
    '        install: { command: [sh, install.sh] }',
    '        restart: { command: [sh, restart.sh] }',
    '        health_check:',
    `          url: ${service.url}`,
    '          attempts: 40',
    '          delay: 250ms',
    '          timeout: 2s',
    '          expect: { status: 200, version_field: commit }',
    ...more.map((line) => `        ${line}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** A whole `fraises.yaml` around fraises made by `sampleFraise`; the webhook secret comes from `GITHUB_WEBHOOK_SECRET`. */
export function sampleConfiguration(...fraises: readonly string[]): string {
  const git = 'git: { provider: github, github: { webhook_secret: "${GITHUB_WEBHOOK_SECRET}" } }';
  return `name: sample\n${git}\nfraises:\n${fraises.join('')}`;
}

async function commit(work: string, message: string, healthy: boolean): Promise<string> {
  await writeFile(join(work, 'status.json'), JSON.stringify({ status: healthy ? 'ok' : 'broken', message }));
  await git(work, 'add', '--all');
  const author = [
    '-c',
    'user.name=Sample',
    '-c',
    'user.email=sample@example.com',
    '-c',
    'commit.gpgsign=false',
  ];
  await git(work, ...author, 'commit', '--quiet', '--allow-empty', '-m', message);
  await git(work, 'push', '--quiet', 'origin', 'main');
  return (await git(work, 'rev-parse', 'HEAD')).trim();
}

function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const environment = { ...plainEnvironment(), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  return mustRun(['git', ...args], { cwd, environment });
}

async function answerOf(port: number): Promise<{ status: string; commit: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(5_000) });
  return (await answer.json()) as { status: string; commit: string };
}

async function stopService(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (pid === 0) return;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function sources(port: number): Readonly<Record<string, string>> {
  return {
    'install.sh':
      '#!/bin/sh\n# The folder of a release is called like its commit.\nbasename "$(pwd -P)" >commit.txt\n',
    'restart.sh': RESTART.replace('@NODE@', process.execPath).replace('@PORT@', String(port)),
    'server.mjs': SERVER,
  };
}

const RESTART = `#!/bin/sh
# Ends the server of the release before and starts this one, out of reach of whoever ran this script.
set -eu
app=$(cd ../.. && pwd -P)
old=$(cat "$app/service.pid" 2>/dev/null || true)
if [ -n "$old" ] && kill "$old" 2>/dev/null; then
  while kill -0 "$old" 2>/dev/null; do sleep 0.05; done
fi
set -- "@NODE@" "$(pwd -P)/server.mjs" @PORT@ "$app/service.pid"
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
  systemd-run --quiet --collect "--working-directory=$(pwd -P)" "$@"
else
  setsid "$@" >>"$app/service.log" 2>&1 </dev/null &
fi
`;

const SERVER = `import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
const [port, pidFile] = process.argv.slice(2);
const commit = readFileSync(new URL('commit.txt', import.meta.url), 'utf8').trim();
const { status } = JSON.parse(readFileSync(new URL('status.json', import.meta.url), 'utf8'));
const server = createServer((request, response) => {
  response.writeHead(status === 'ok' ? 200 : 500, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ status, commit }));
});
server.listen(Number(port), '127.0.0.1', () => writeFileSync(pidFile, String(process.pid)));
process.on('SIGTERM', () => process.exit(0));
`;
