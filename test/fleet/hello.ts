import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sampleService, type SampleService } from '../support/sample-service.js';
import { gate, gatedServer, migrate, printing } from '../system/gated-service.js';
import { installAgent, type Allowing } from './agent-unit.js';
import { SERVERS, startFleet, USER, type Fleet, type FleetOptions, type Server } from './fleet.js';
import { GATES } from './gates.js';
import type { Host } from './lab/host.js';

export const APP_PATH = '/srv/hello';

/** The service `hello`: a systemd unit on every server, with a database that is a file of the first. */
export interface Hello {
  readonly configuration: string;
  readonly repository: string;
  /** What a server must allow so that it can be deployed there. */
  readonly allowing: Allowing;
  /** Commits to `main`, with one more migration, and returns the full SHA. */
  commit(message: string, how?: { readonly healthy?: boolean; readonly brokenOn?: Server }): Promise<string>;
  /** What the running service of a server answers; throws when it does not. */
  answer(host: Host): Promise<{ readonly status: string; readonly commit: string }>;
  /** The process of the running service of a server. */
  process(host: Host): Promise<number>;
  /** What is applied to the database, in order. */
  migrations(): Promise<readonly string[]>;
}

/** A fleet that has the service's configuration and agents on every server; leaves nothing behind when it throws. */
export async function startHelloFleet(
  servers: readonly Server[] = SERVERS,
  options: FleetOptions = {},
): Promise<{ fleet: Fleet; hello: Hello }> {
  const fleet = await startFleet(servers, options);
  try {
    const hello = await makeHello(fleet);
    await Promise.all(servers.map((server) => installAgent(fleet, server, hello.allowing)));
    await fleet.apply(hello.configuration);
    return { fleet, hello };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const why = new Error(`${words}\n\n${await fleet.logs()}`, { cause: error });
    await fleet.stop();
    throw why;
  }
}

/** Makes its repository, and its unit on every server (enabled, not started: there is nothing to start yet). */
export async function makeHello(fleet: Fleet): Promise<Hello> {
  const service = await sampleService(fleet.repositories, '/srv');
  const work = join(fleet.repositories, 'hello-work');
  const install = await readFile(join(work, 'install.sh'), 'utf8');
  const server = await readFile(join(work, 'server.mjs'), 'utf8');
  const sources = {
    'install.sh': printing('before') + gate(GATES, 'install') + printing('after') + install,
    'migrate.sh': migrate(GATES),
    'server.mjs': gatedServer(server, GATES),
    'migrations.txt': '',
  };
  for (const [name, text] of Object.entries(sources)) await writeFile(join(work, name), text);
  await Promise.all(fleet.servers.map((name) => prepare(fleet.server(name), service)));
  const repository = `${fleet.repositoriesUrl}/hello.git`;
  let migrations = 0;
  return {
    configuration: configuration(service, repository, fleet.servers),
    repository,
    allowing: [
      ...['--repository', repository, '--path', APP_PATH, '--unit', 'hello.service', '--user', USER],
      ...['--command', 'sh install.sh', '--command', 'sh migrate.sh *'],
    ],
    async commit(message, how = {}) {
      migrations += 1;
      await writeFile(join(work, 'server.mjs'), brokenOn(sources['server.mjs'], how.brokenOn));
      const lines = Array.from({ length: migrations }, (_, index) => `m${index + 1}\n`);
      await writeFile(join(work, 'migrations.txt'), lines.join(''));
      return service.commit(message, how);
    },
    async answer(host) {
      const said = await host.must(['curl', '--silent', '--show-error', '--max-time', '5', service.url]);
      return JSON.parse(said) as { status: string; commit: string };
    },
    async process(host) {
      return Number(await host.must(['systemctl', 'show', '--property=MainPID', '--value', 'hello.service']));
    },
    async migrations() {
      const applied = await readFile(join(fleet.server('h1').root, GATES, 'database'), 'utf8');
      return applied.split('\n').filter((line) => line !== '');
    },
  };
}

/** The server, unhealthy on one host only. */
function brokenOn(server: string, host: Server | undefined): string {
  if (host === undefined) return server;
  const here = `readFileSync('/etc/hostname', 'utf8').trim() === '${host}'`;
  return server.replace(
    /const \{ status \} = (.*);\n/,
    `const told = $1;\nconst status = ${here} ? 'broken' : told.status;\n`,
  );
}

async function prepare(host: Host, service: SampleService): Promise<void> {
  await writeFile(join(host.root, 'etc/systemd/system/hello.service'), unit(service));
  await host.must(['install', '-d', '-o', USER, GATES]);
  await writeFile(join(host.root, GATES, 'start.sh'), gate(GATES, 'restart'));
  await host.must(['systemctl', 'enable', '--quiet', 'hello.service']);
}

function unit({ port }: SampleService): string {
  return `[Unit]
Description=Says hello
StartLimitIntervalSec=0

[Service]
User=${USER}
RuntimeDirectory=hello
WorkingDirectory=${APP_PATH}/current
ExecStartPre=/bin/sh ${GATES}/start.sh
ExecStart=/usr/local/bin/node server.mjs ${port} /run/hello/pid
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;
}

function configuration({ url }: SampleService, repository: string, servers: readonly Server[]): string {
  return `name: fleet
git: { provider: github, github: { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" } }
fraises:
  hello:
    type: api
    description: Says hello
    repository: ${repository}
    install: { command: [sh, install.sh], timeout: 60s }
    environments:
      production:
        branch: main
        hosts: [${servers.join(', ')}]
        app_path: ${APP_PATH}
        user: ${USER}
        systemd_service: hello.service
        database:
          tool: command
          up: [sh, migrate.sh, up]
          down: [sh, migrate.sh, down]
          status: [sh, migrate.sh, status]
          timeout: 60s
        health_check:
          url: ${url}
          attempts: 40
          delay: 250ms
          timeout: 2s
          expect: { status: 200, version_field: commit }
`;
}
