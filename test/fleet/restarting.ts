import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installAgent } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';
import { makeRepository, type Repository } from './kinds.js';
import type { Host } from './lab/host.js';

/** Each is the same service, restarted in another way; they listen on ports of their own. */
export const PORTS = { restarts: 8101, reloads: 8102, tries: 8103, socketed: 8104 } as const;
export type Service = keyof typeof PORTS;

/** Where hooks and probes say what they ran as. */
export const SEEN = '/srv/seen';
/** Who one of the hooks runs as. */
export const OPERATOR = 'ops';

/** Says which commit is its own; on SIGHUP it looks which is live. A socket of systemd is taken when there is one. */
export const SERVE = `import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
const [port, current] = process.argv.slice(2);
const read = () => readFileSync(current + '/commit.txt', 'utf8').trim();
let commit = read();
process.on('SIGHUP', () => (commit = read()));
const at = process.env.LISTEN_FDS === '1' ? { fd: 3 } : { port: Number(port), host: '127.0.0.1' };
createServer((_, response) => {
  response.setHeader('connection', 'close').end(JSON.stringify({ commit, pid: process.pid }));
}).listen(at);
`;

const SAY = `unit=$(grep -o 'fraisier-r_[^/]*' /proc/self/cgroup | head -n 1)
echo "\${FRAISIER_HOOK:-probe} $(id -un) $unit" >>${SEEN}/said\n`;

export const SOURCES = {
  'serve.mjs': SERVE,
  'install.sh': 'printf %s "$FRAISIER_COMMIT" >commit.txt\n',
  'say.sh': SAY,
  'reload.sh': 'exec kill -HUP "$1"\n',
};

/** A fleet whose h1 may be given the four; nothing is deployed yet. Leaves nothing behind when it throws. */
export async function startRestarting(): Promise<{ fleet: Fleet; code: Repository }> {
  const fleet = await startFleet();
  try {
    const code = await makeRepository(fleet, 'code');
    const h1 = fleet.server('h1');
    await putUnits(h1);
    await h1.must(['useradd', '--system', OPERATOR]);
    await h1.must(['install', '-d', SEEN]);
    await h1.must(['install', '-m', '666', '/dev/null', `${SEEN}/said`]);
    const names = Object.keys(PORTS);
    await installAgent(fleet, 'h1', [
      ...['--repository', code.url, '--user', USER, '--user', OPERATOR, '--unit', 'socketed.socket'],
      ...names.flatMap((name) => ['--path', `/srv/${name}`, '--unit', name]),
      ...['--command', 'sh install.sh', '--command', 'sh say.sh'],
    ]);
    await code.commit(SOURCES);
    await fleet.apply(configuration(code));
    return { fleet, code };
  } catch (error) {
    const why = new Error(`${String(error)}\n\n${await fleet.logs()}`, { cause: error });
    await fleet.stop();
    throw why;
  }
}

async function putUnits(host: Host): Promise<void> {
  const folder = join(host.root, 'etc/systemd/system');
  for (const [name, port] of Object.entries(PORTS)) {
    const start = `/usr/local/bin/node serve.mjs ${port} /srv/${name}/current`;
    const reload = `/bin/sh /srv/${name}/current/reload.sh $MAINPID`;
    const service = `WorkingDirectory=/srv/${name}/current\nExecStart=${start}\nExecReload=${reload}`;
    await writeFile(
      join(folder, `${name}.service`),
      `[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nUser=${USER}\n${service}\nRestart=always\nRestartSec=100ms\n`,
    );
  }
  await writeFile(
    join(folder, 'socketed.socket'),
    `[Socket]\nListenStream=127.0.0.1:${PORTS.socketed}\n\n[Install]\nWantedBy=sockets.target\n`,
  );
  await host.must(['systemctl', 'daemon-reload']);
}

function configuration({ url }: Repository): string {
  return `name: fleet\nfraises:\n${Object.keys(PORTS)
    .map((name) => fraise(name as Service, url))
    .join('')}`;
}

function fraise(name: Service, url: string): string {
  return `  ${name}:
    type: api
    repository: ${url}
    environments:
      production:
        app_path: /srv/${name}
        branch: main
        hosts: [h1]
        user: ${USER}
        install: { command: [sh, install.sh] }
        systemd_service: ${name}
${MORE[name]}`;
}

const health = (name: Service, more: string): string =>
  `        health_check: { url: 'http://127.0.0.1:${PORTS[name]}/', expect: { version_field: commit }, attempts: 5, delay: 300ms, ${more} }\n`;

const MORE: Readonly<Record<Service, string>> = {
  restarts: `        hooks:
          before_restart: { command: [sh, say.sh], user: ${OPERATOR} }
          after_health: [sh, say.sh]
${health('restarts', 'stable_for: 3s, checks: [{ command: [sh, say.sh] }]')}`,
  reloads: `        restart_mode: reload\n${health('reloads', 'timeout: 2s')}`,
  tries: `        restart_mode: try_restart\n`,
  socketed: `        systemd_socket: socketed.socket\n${health('socketed', 'timeout: 5s, stable_for: 2s')}`,
};
