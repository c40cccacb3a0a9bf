import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installAgent } from './agent-unit.js';
import { startFleet, USER, type Fleet } from './fleet.js';
import { makeRepository, type Repository } from './kinds.js';

/** The same script, at work in four places: the install of an api, the migration of another, the script of an etl, the last hook of a scheduled fraise. */
export const PLACES = [
  { fraise: 'installs', what: 'the install of an api' },
  { fraise: 'migrates', what: 'the migration of an api' },
  { fraise: 'loads', what: 'the script of an etl' },
  { fraise: 'plans', what: 'the hook of a scheduled fraise' },
] as const;
export type Place = (typeof PLACES)[number]['fraise'];

/** What the script's leftovers sleep for, so that they are known among all processes. */
export const LEFTOVER = 'sleep 4217';

const MIGRATE = `set -eu
case $1 in
status) [ -e "$HOME/applied" ] && at=1 pending= || { at=; pending='"1"'; }
  printf '{"revision": "%s", "pending": [%s]}\\n' "$at" "$pending" ;;
up) . ./way.sh ;;
down) exit 0 ;;
esac
`;

/** A fleet whose h1 may be given all of them; the first release of each is live. Leaves nothing behind when it throws. */
export async function startMisbehaving(): Promise<{ fleet: Fleet; code: Repository }> {
  const fleet = await startFleet();
  try {
    const code = await makeRepository(fleet, 'code');
    const h1 = fleet.server('h1');
    for (const name of ['installs', 'migrates']) {
      await writeFile(join(h1.root, `etc/systemd/system/${name}.service`), unit(name));
    }
    for (const [name, text] of Object.entries(JOB))
      await writeFile(join(h1.root, 'etc/systemd/system', name), text);
    await h1.must(['systemctl', 'daemon-reload']);
    await installAgent(fleet, 'h1', [
      ...['--repository', code.url, '--user', USER, '--unit', 'installs', '--unit', 'migrates'],
      ...['--unit', 'plans.timer', '--unit', 'plans.service'],
      ...PLACES.flatMap(({ fraise }) => ['--path', `/srv/${fraise}`]),
      ...['sh way.sh', 'sh migrate.sh **', 'way.sh'].flatMap((command) => ['--command', command]),
    ]);
    await code.commit({ 'way.sh': ':\n', 'serve.sh': 'exec sleep infinity\n', 'migrate.sh': MIGRATE });
    await fleet.apply(configuration(code));
    return { fleet, code };
  } catch (error) {
    const why = new Error(`${String(error)}\n\n${await fleet.logs()}`, { cause: error });
    await fleet.stop();
    throw why;
  }
}

function unit(name: string): string {
  const start = `WorkingDirectory=/srv/${name}/current\nExecStart=/bin/sh serve.sh`;
  return `[Unit]\nDescription=Serves\nStartLimitIntervalSec=0\n\n[Service]\nUser=${USER}\n${start}\n`;
}

/** What the scheduled fraise starts, which is never. */
const JOB = {
  'plans.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  'plans.timer': '[Timer]\nOnCalendar=2099-01-01\n\n[Install]\nWantedBy=timers.target\n',
};

function configuration({ url }: Repository): string {
  const production = (name: string, more: string): string =>
    `    environments:\n      production: { app_path: /srv/${name}, branch: main, hosts: [h1], user: ${USER}, keep_releases: 2, ${more} }\n`;
  const api = (name: string, more: string): string =>
    `  ${name}:\n    type: api\n    repository: ${url}\n${production(name, `systemd_service: ${name}, health_check: { systemd: true, attempts: 2, delay: 200ms }, ${more}`)}`;
  const tool =
    'tool: command, up: [sh, migrate.sh, up], down: [sh, migrate.sh, down], status: [sh, migrate.sh, status]';
  return `name: fleet
fraises:
${api('installs', 'install: { command: [sh, way.sh], timeout: 8s }')}${api('migrates', `database: { ${tool}, timeout: 8s }`)}  loads:
    type: etl
    repository: ${url}
${production('loads', 'script_path: way.sh, run: after_deploy, run_timeout: 8s')}  plans:
    type: scheduled
    repository: ${url}
${production('plans', 'jobs: { daily: { systemd_timer: plans.timer } }, hooks: { after_health: { command: [sh, way.sh], timeout: 8s } }')}`;
}
