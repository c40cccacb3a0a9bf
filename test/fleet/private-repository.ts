import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sampleService, type SampleService } from '../support/sample-service.js';
import { mustRun } from '../support/run-command.js';
import { USER, type Fleet } from './fleet.js';
import type { Host } from './lab/host.js';

export const APP_PATH = '/srv/site';
const KEY = '/etc/fraisier/site-key';
const KNOWN_HOSTS = '/etc/fraisier/known-hosts';
const BARE = '/srv/git/site.git';

/**
 * The service `site`: its repository is served by the laptop over SSH, to whoever has the key; a checkout of it is on h1.
 * The etl `loader` and the scheduled `reports` come from the same repository, into releases of their own.
 */
export interface Site {
  readonly configuration: string;
  readonly address: string;
  /** Flags of `agent allow` for everything but how to get at the repository. */
  readonly allowing: readonly string[];
  /** Flags that say how. */
  readonly credential: readonly string[];
  commit(message: string, how?: { readonly healthy?: boolean }): Promise<string>;
  /** What the running service answers. */
  answer(): Promise<{ readonly status: string; readonly commit: string }>;
  /** Git in the checkout on h1, as its user. */
  git(...args: readonly string[]): Promise<string>;
}

/** Makes the repository and its server, and on h1 the key, the checkout and the unit. */
export async function makeSite(fleet: Fleet): Promise<Site> {
  const h1 = fleet.server('h1');
  const service = await sampleService(fleet.repositories, '/srv', 'site');
  await moveToLaptop(fleet, service);
  const address = `ssh://root@${fleet.laptop.address}${BARE}`;
  await giveKey(h1, fleet.laptop);
  await service.commit('the first');
  const ssh = `ssh -i ${KEY} -o UserKnownHostsFile=${KNOWN_HOSTS} -o StrictHostKeyChecking=yes`;
  await h1.must(['env', `GIT_SSH_COMMAND=${ssh}`, 'git', 'clone', '--quiet', address, APP_PATH]);
  await h1.must(['chown', '-R', `${USER}:`, APP_PATH]);
  await writeFile(join(h1.root, 'etc/systemd/system/site.service'), unit(service));
  await h1.must(['systemctl', 'enable', '--quiet', 'site.service']);
  return {
    configuration: configuration(service, address),
    address,
    allowing: [
      ...['--path', APP_PATH, '--unit', 'site.service', '--user', USER, '--command', 'sh install.sh'],
      ...['--path', '/srv/loader', '--path', '/srv/reports', '--command', 'run.sh'],
      ...['reports.timer', 'reports.service'].flatMap((unit) => ['--unit', unit, '--unit-file', unit]),
    ],
    credential: ['--repository', address, '--ssh-key', KEY, '--known-hosts', KNOWN_HOSTS],
    commit: (message, how) => service.commit(message, how),
    async answer() {
      const said = await h1.must(['curl', '--silent', '--show-error', '--max-time', '5', service.url]);
      return JSON.parse(said) as { status: string; commit: string };
    },
    git: (...args) => h1.must(['runuser', '-u', USER, '--', 'git', '-C', APP_PATH, ...args]),
  };
}

/** The bare repository lies where only SSH leads to, and what is installed is not tracked. */
async function moveToLaptop(fleet: Fleet, { repository }: SampleService): Promise<void> {
  const bare = join(fleet.laptop.root, BARE);
  await mkdir(join(bare, '..'), { recursive: true });
  await mustRun(['mv', repository, bare]);
  const work = join(fleet.repositories, 'site-work');
  await mustRun(['git', '-C', work, 'remote', 'set-url', 'origin', bare]);
  await writeFile(join(work, 'install.sh'), 'printf %s "$FRAISIER_COMMIT" >commit.txt\n');
  await writeFile(join(work, '.gitignore'), 'commit.txt\n');
  await writeFile(join(work, 'run.sh'), 'exit 0\n');
  await mkdir(join(work, 'units'));
  const start = 'Type=oneshot\nWorkingDirectory=/srv/reports/current\nExecStart=/bin/sh run.sh';
  await writeFile(join(work, 'units/reports.service'), `[Service]\n${start}\n`);
  const when = '[Timer]\nOnCalendar=2099-01-01\n\n[Install]\nWantedBy=timers.target\n';
  await writeFile(join(work, 'units/reports.timer'), when);
  await fleet.laptop.must(['systemctl', 'start', 'ssh.service']);
}

/** A key of the host's own, which the server knows, and the server's key, which the host knows. */
async function giveKey(host: Host, server: Host): Promise<void> {
  await host.must(['mkdir', '-p', '/etc/fraisier']);
  await host.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', KEY]);
  await mkdir(join(server.root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  const authorized = join(server.root, 'root/.ssh/authorized_keys');
  await writeFile(authorized, await readFile(join(host.root, `${KEY}.pub`), 'utf8'), { mode: 0o600 });
  const identity = await readFile(join(server.root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8');
  await writeFile(join(host.root, KNOWN_HOSTS), `${server.address} ${identity}`);
}

function unit({ port }: SampleService): string {
  return `[Unit]
Description=The site
StartLimitIntervalSec=0

[Service]
User=${USER}
RuntimeDirectory=site
WorkingDirectory=${APP_PATH}
ExecStart=/usr/local/bin/node server.mjs ${port} /run/site/pid
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;
}

function configuration({ url }: SampleService, address: string): string {
  return `name: fleet
git: { provider: github, github: { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" } }
fraises:
  site:
    type: api
    install: { command: [sh, install.sh], timeout: 60s }
    environments:
      production:
        branch: main
        hosts: [h1]
        app_path: ${APP_PATH}
        user: ${USER}
        systemd_service: site.service
        health_check:
          url: ${url}
          attempts: 40
          delay: 250ms
          timeout: 2s
          expect: { status: 200, version_field: commit }
  loader:
    type: etl
    repository: ${address}
    environments:
      production: { app_path: /srv/loader, hosts: [h1], user: ${USER}, script_path: run.sh, run: after_deploy }
  reports:
    type: scheduled
    repository: ${address}
    environments:
      production: { app_path: /srv/reports, hosts: [h1], user: ${USER}, units: units, jobs: { daily: { systemd_timer: reports.timer } } }
`;
}
