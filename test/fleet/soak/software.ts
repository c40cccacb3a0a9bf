import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installAgent } from '../agent-unit.js';
import { USER, type Fleet, type Server } from '../fleet.js';
import { makeRepository, type Repository } from '../kinds.js';

export const TEN = Array.from({ length: 10 }, (_, index): Server => `h${index + 1}`);

/** What is deployed all the time: over hosts that overlap, three with a database that is a file of one host. */
export const SOFTWARE = [
  { name: 'web', type: 'api', hosts: TEN.slice(0, 5), databaseOn: 'h1' },
  { name: 'shop', type: 'api', hosts: TEN.slice(3, 8), databaseOn: 'h5' },
  { name: 'jobs', type: 'etl', hosts: TEN.slice(6), databaseOn: 'h7' },
  { name: 'notes', type: 'etl', hosts: ['h10', 'h1', 'h4', 'h8'], databaseOn: null },
] as const satisfies readonly Software[];

export interface Software {
  readonly name: string;
  readonly type: 'api' | 'etl';
  readonly hosts: readonly Server[];
  readonly databaseOn: Server | null;
}

/** Lines that every install prints. */
export const LOG_LINES = Array.from({ length: 40 }, (_, index) => `line ${index + 1}`);
export const WEB = 'http://127.0.0.1:8201/';

/** Where commands say on a host what they did. */
export function marks(name: string): string {
  return `/srv/soak/${name}`;
}

/** A repository of one piece of software, whose every commit has one more migration. */
export interface Source {
  readonly url: string;
  /** A release that is never healthy on `brokenOn`. */
  commit(brokenOn: Server | 'none'): Promise<string>;
}

/** Makes repositories, hosts, agents and the configuration, and deploys a first release of everything. */
export async function prepareSoftware(fleet: Fleet): Promise<ReadonlyMap<string, Source>> {
  const sources = new Map<string, Source>();
  for (const one of SOFTWARE) sources.set(one.name, sourceOf(one, await makeRepository(fleet, one.name)));
  const urls = [...sources.values()].map(({ url }) => url);
  const allowing = [
    ...urls.flatMap((url) => ['--repository', url]),
    ...SOFTWARE.flatMap(({ name }) => ['--path', `/srv/${name}`, '--unit', name]),
    ...['sh install.sh', 'sh migrate.sh *', 'sh healthy.sh', 'run.sh'].flatMap((line) => ['--command', line]),
    ...['--user', USER],
  ];
  await Promise.all(TEN.map((server) => prepareHost(fleet, server)));
  await Promise.all(TEN.map((server) => installAgent(fleet, server, allowing)));
  const fraises = SOFTWARE.map((one) => fraise(one, sources.get(one.name)?.url ?? ''));
  const git = 'git: { provider: github, github: { webhook_secret: "${GITHUB_WEBHOOK_SECRET}" } }';
  await fleet.apply(`name: soak\n${git}\nfraises:\n${fraises.join('')}`);
  await Promise.all(
    SOFTWARE.map(async ({ name }) => {
      await sources.get(name)?.commit('none');
      await fleet.must(['deploy', name, 'production']);
    }),
  );
  return sources;
}

async function prepareHost(fleet: Fleet, server: Server): Promise<void> {
  const host = fleet.server(server);
  for (const { name, type } of SOFTWARE) {
    await host.must(['install', '-d', '-o', USER, marks(name)]);
    if (type === 'api') await writeFile(join(host.root, `etc/systemd/system/${name}.service`), unit(name));
  }
  await host.must(['systemctl', 'daemon-reload']);
}

function unit(name: string): string {
  const place = `RuntimeDirectory=${name}\nWorkingDirectory=/srv/${name}/current`;
  return `[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nUser=${USER}\n${place}\nExecStart=/bin/sh serve.sh\nRestart=always\n`;
}

function sourceOf({ name, type }: Software, repository: Repository): Source {
  let count = 0;
  const serve = name === 'web' ? 'exec node server.mjs' : 'cp commit.txt /run/shop/serving; exec sleep 86400';
  const files = {
    'install.sh': INSTALL,
    'migrate.sh': migrate(marks(name)),
    ...(type === 'api' ? { 'serve.sh': serve, 'server.mjs': SERVER, 'healthy.sh': HEALTHY } : {}),
    ...(type === 'etl'
      ? { 'run.sh': `#!/bin/sh\ncat commit.txt >>${marks(name)}/ran\n${NOT_BROKEN}\n` }
      : {}),
  };
  return {
    url: repository.url,
    commit(brokenOn) {
      count += 1;
      const migrations = Array.from({ length: count }, (_, index) => `m${index + 1}\n`).join('');
      return repository.commit({
        ...files,
        'migrations.txt': migrations,
        'broken-on.txt': `${brokenOn}\n`,
      });
    },
  };
}

const NOT_BROKEN = '[ "$(cat broken-on.txt)" != "$(cat /etc/hostname)" ]';
const HEALTHY = `cmp commit.txt /run/shop/serving && ${NOT_BROKEN}\n`;

const INSTALL = `print() { i=$1; while [ $i -le $2 ]; do echo "line $i"; i=$((i + 1)); done; }
print 1 20; sleep 0.2; print 21 ${LOG_LINES.length}
echo "$FRAISIER_COMMIT" >commit.txt
`;

/** Says that it begins, and takes its time: what is begun twice is applied twice. */
function migrate(folder: string): string {
  return `set -eu
cd "$(pwd -P)" && touch ${folder}/database
new() { grep -vxFf ${folder}/database migrations.txt || true; }
case $1 in
status) printf '{"revision": "%s", "pending": [%s]}\\n' "$(tail -n 1 ${folder}/database)" "$(new | sed 's/.*/"&"/' | paste -sd, -)" ;;
up) echo "$FRAISIER_COMMIT" >>${folder}/migrated
  all=$(new); sleep 0.3; for one in $all; do echo "$one" >>${folder}/database; sleep 0.05; done ;;
down) echo "$FRAISIER_COMMIT" >>${folder}/undone
  { [ -z "$FRAISIER_REVISION" ] || sed "/^$FRAISIER_REVISION\\$/q" ${folder}/database; } >${folder}/database.new
  mv ${folder}/database.new ${folder}/database ;;
esac
`;
}

const SERVER = `import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
const commit = readFileSync('commit.txt', 'utf8').trim();
const broken = readFileSync('broken-on.txt', 'utf8') === readFileSync('/etc/hostname', 'utf8');
createServer((_, response) => {
  response.writeHead(broken ? 500 : 200, { connection: 'close' }).end(JSON.stringify({ commit }));
}).listen(8201, '127.0.0.1');
`;

function fraise({ name, type, hosts, databaseOn }: Software, url: string): string {
  const tool = ['up', 'down', 'status'].map((way) => `${way}: [sh, migrate.sh, ${way}]`).join(', ');
  const looks = 'attempts: 12, delay: 250ms, timeout: 2s';
  const health =
    name === 'web'
      ? `health_check: { url: '${WEB}', expect: { version_field: commit }, ${looks} }`
      : `health_check: { command: [sh, healthy.sh], ${looks} }`;
  const settings = [
    ...['branch: main', `hosts: [${hosts.join(', ')}]`, `app_path: /srv/${name}`, `user: ${USER}`],
    ...['keep_releases: 3', 'install: { command: [sh, install.sh] }', 'rollout: { batch: [1, 50%] }'],
    ...(type === 'api'
      ? [`systemd_service: ${name}`, health]
      : ['script_path: run.sh', 'run: after_deploy', 'run_timeout: 20s', 'while_running: { wait: 20s }']),
    ...(databaseOn === null ? [] : [`database: { tool: command, ${tool}, on: ${databaseOn}, timeout: 30s }`]),
  ];
  const lines = settings.map((line) => `        ${line}\n`).join('');
  return `  ${name}:\n    type: ${type}\n    repository: ${url}\n    environments:\n      production:\n${lines}`;
}
