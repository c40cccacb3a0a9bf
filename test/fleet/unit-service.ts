import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plainEnvironment } from '../support/fraisier-program.js';
import { mustRun } from '../support/run-command.js';
import { until } from '../support/until.js';
import type { Fleet } from './fleet.js';
import type { Host } from './lab/host.js';

/** Commands of the service that stop at a closed gate on their host. */
export type Gate = 'install' | 'migrate' | 'restart';

/** What a host must allow for the service: the flags of `agent install`. */
export function allowService(repository: string): readonly string[] {
  const commands = [
    'sh install.sh',
    'sh migrate.sh *',
    'sh migrate.sh up',
    'sh migrate.sh down',
    'sh migrate.sh status',
  ];
  const allowed = [
    ['--repository', repository],
    ['--path', '/srv/hello'],
    ['--unit', 'hello.service'],
    ['--user', 'root'],
    ...commands.map((command) => ['--command', command]),
  ];
  return allowed.flat();
}

/** A web service as a systemd unit of every host, in a repository the fleet serves. */
export class UnitService {
  readonly #fleet: Fleet;
  readonly #work: string;
  readonly repository: string;

  private constructor(fleet: Fleet, work: string) {
    this.#fleet = fleet;
    this.#work = work;
    this.repository = fleet.repository('hello');
  }

  /** Makes the repository, and the unit on every host. */
  static async make(fleet: Fleet): Promise<UnitService> {
    const work = join(fleet.lab.folder, 'work');
    const bare = join(fleet.repositories, 'hello.git');
    await git(fleet.repositories, 'init', '--quiet', '--bare', '--initial-branch=main', bare);
    await git(fleet.lab.folder, 'init', '--quiet', '--initial-branch=main', work);
    await git(work, 'remote', 'add', 'origin', bare);
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(work, name), text);
    for (const host of fleet.lab.hosts) {
      await mkdir(join(host.root, 'var/lib/hello'), { recursive: true });
      await writeFile(join(host.root, 'etc/systemd/system/hello.service'), UNIT);
      await host.must(['systemctl', 'daemon-reload']);
    }
    return new UnitService(fleet, work);
  }

  /** A release; one with `migrations` adds these to what the database must have, one that is not healthy answers 500. */
  async commit(
    message: string,
    how: { readonly healthy?: boolean; readonly migrations?: readonly string[] } = {},
  ): Promise<string> {
    await writeFile(join(this.#work, 'status.txt'), how.healthy === false ? 'broken' : 'ok');
    await writeFile(join(this.#work, 'message.txt'), message);
    if (how.migrations !== undefined)
      await writeFile(join(this.#work, 'migrations.txt'), how.migrations.map((name) => `${name}\n`).join(''));
    await git(this.#work, 'add', '--all');
    await git(
      this.#work,
      '-c',
      'user.name=Fleet',
      '-c',
      'user.email=fleet@example.com',
      'commit',
      '--quiet',
      '-m',
      message,
    );
    await git(this.#work, 'push', '--quiet', 'origin', 'main');
    return (await git(this.#work, 'rev-parse', 'HEAD')).trim();
  }

  /** `fraises.yaml`: one host after the other, the first of them migrates. */
  configuration(): string {
    return `name: fleet
git: { provider: github, github: { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" } }
fraises:
  hello:
    type: api
    repository: ${this.repository}
    environments:
      production:
        branch: main
        hosts: [${this.#fleet.lab.hosts.map((host) => host.name).join(', ')}]
        app_path: /srv/hello
        systemd_service: hello.service
        install: { command: [sh, install.sh] }
        database: { tool: command, up: [sh, migrate.sh, up], down: [sh, migrate.sh, down], status: [sh, migrate.sh, status] }
        health_check:
          url: http://127.0.0.1:8000/health
          attempts: 20
          delay: 300ms
          expect: { status: 200, version_field: commit }
`;
  }

  /** The commit that a host serves now; throws when it serves nothing. */
  async served(host: Host): Promise<string> {
    const answer = await host.must(['curl', '-sS', '--max-time', '5', 'http://127.0.0.1:8000/health']);
    return (JSON.parse(answer) as { commit: string }).commit;
  }

  async close(host: Host, gate: Gate): Promise<void> {
    await host.must(['touch', `${STATE}/${gate}.closed`]);
  }

  async open(host: Host, gate: Gate): Promise<void> {
    await host.must(['rm', '-f', `${STATE}/${gate}.closed`]);
  }

  /** Until somebody stands at the closed gate. */
  async entered(host: Host, gate: Gate): Promise<void> {
    const there = async () => (await host.exec(['test', '-e', `${STATE}/${gate}.entered`])).code === 0;
    await until(`somebody at the gate ${gate} of ${host.name}`, there, { timeoutMs: 60_000 });
  }

  /** How often a gated command was begun on a host, over all time. */
  async begun(host: Host, gate: Gate): Promise<number> {
    const { stdout } = await host.exec(['cat', `${STATE}/${gate}.begun`]);
    return stdout.length;
  }

  /** What the stand-in for a database says is applied. */
  async applied(host: Host): Promise<readonly string[]> {
    const { stdout } = await host.exec(['cat', `${STATE}/database`]);
    return stdout.split('\n').filter((line) => line !== '');
  }
}

const STATE = '/var/lib/hello';

const UNIT = `[Unit]
Description=The service of the fleet tests
[Service]
ExecStartPre=/bin/sh /srv/hello/current/before-start.sh
ExecStart=/usr/local/bin/node /srv/hello/current/server.mjs
`;

function gate(name: Gate): string {
  return `printf x >>${STATE}/${name}.begun
if [ -e ${STATE}/${name}.closed ]; then : >${STATE}/${name}.entered; fi
while [ -e ${STATE}/${name}.closed ]; do sleep 0.05; done
rm -f ${STATE}/${name}.entered
`;
}

const FILES = {
  'install.sh': `set -eu\n${gate('install')}basename "$(pwd -P)" >commit.txt\n`,
  'before-start.sh': `set -eu\n${gate('restart')}`,
  'migrations.txt': '',
  'migrate.sh': `set -eu
touch ${STATE}/database
pending() { grep -vxFf ${STATE}/database migrations.txt | sed 's/.*/"&"/' | paste -sd, - || true; }
case $1 in
status) printf '{"revision": "%s", "pending": [%s]}\\n' "$(tail -n 1 ${STATE}/database)" "$(pending)" ;;
up)
${gate('migrate')}cp migrations.txt ${STATE}/database ;;
down) { [ -z "$FRAISIER_REVISION" ] || sed "/^$FRAISIER_REVISION\\$/q" ${STATE}/database; } >${STATE}/database.new
  mv ${STATE}/database.new ${STATE}/database ;;
esac
`,
  'server.mjs': `import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8').trim();
const [commit, status] = [read('commit.txt'), read('status.txt')];
createServer((request, response) => {
  response.writeHead(status === 'ok' ? 200 : 500, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ status, commit }));
}).listen(8000, '127.0.0.1');
`,
};

function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const environment = { ...plainEnvironment(), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  return mustRun(['git', ...args], { cwd, environment });
}
