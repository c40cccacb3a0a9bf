import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../support/cluster.js';
import {
  sampleConfiguration,
  sampleFraise,
  sampleService,
  type SampleService,
} from '../support/sample-service.js';
import { until } from '../support/until.js';

/** Commands of the service that stop at a gate while it is closed. */
export const GATED = ['install', 'migrate', 'restart'] as const;
export type Gate = (typeof GATED)[number] | 'health';

/** What a deployment of it consists of, in its order. */
export const STEPS: readonly (readonly [phase: string, step: string])[] = [
  ['prepare', 'preflight'],
  ['prepare', 'fetch'],
  ['prepare', 'stage'],
  ['prepare', 'install'],
  ['prepare', 'migration_status'],
  ['migrate', 'migration_unchanged'],
  ['migrate', 'migrate'],
  ['migrate', 'migration_applied'],
  ['release', 'activate'],
  ['release', 'restart'],
  ['release', 'health'],
  ['prune', 'prune'],
];

/** The sample service with a migration, whose commands can be held inside and counted. */
export interface GatedService {
  readonly service: SampleService;
  readonly configuration: string;
  close(gate: Gate): Promise<void>;
  open(gate: Gate): Promise<void>;
  /** Until somebody stands at the closed gate. */
  entered(gate: Gate): Promise<void>;
  /** How often the command was begun since the gate was last closed or reset. */
  begun(gate: Gate): Promise<number>;
  /** Opens every gate and forgets every count. */
  reset(): Promise<void>;
  commit(message: string, healthy?: boolean): Promise<string>;
}

/** Lines that the gated install prints before and after its gate. */
export const LINES_EACH = 100;

/** Makes the service in the cluster's folder; `more` is added to its environment. */
export async function gatedService(cluster: Cluster, more: readonly string[] = []): Promise<GatedService> {
  const folder = join(cluster.folder, 'gates');
  await mkdir(folder, { recursive: true });
  const service = await sampleService(cluster.folder, cluster.apps);
  const work = join(cluster.folder, 'hello-work');
  const path = (name: string) => join(folder, name);
  const restart = await readFile(join(work, 'restart.sh'), 'utf8');
  const server = await readFile(join(work, 'server.mjs'), 'utf8');
  const install = await readFile(join(work, 'install.sh'), 'utf8');
  await script(
    work,
    'install.sh',
    printing('before') + gate(folder, 'install') + printing('after') + install,
  );
  await script(work, 'restart.sh', gate(folder, 'restart') + restart);
  await script(work, 'migrate.sh', migrate(folder));
  await writeFile(join(work, 'server.mjs'), gatedServer(server, folder));
  const database =
    'database: { tool: command, up: [sh, migrate.sh, up], down: [sh, migrate.sh, down], status: [sh, migrate.sh, status], timeout: 60s }';
  const reset = async () => {
    for (const name of [...GATED, 'health']) {
      await rm(path(`${name}.closed`), { force: true });
      await rm(path(`${name}.entered`), { force: true });
      await rm(path(`${name}.begun`), { force: true });
    }
  };
  return {
    service,
    configuration: sampleConfiguration(sampleFraise(service, 'hello', ['web-1'], [database, ...more])),
    close: (name) => writeFile(path(`${name}.closed`), ''),
    open: (name) => rm(path(`${name}.closed`), { force: true }),
    entered: async (name) => {
      await until(`somebody at the gate ${name}`, () => existsSync(path(`${name}.entered`)), { everyMs: 20 });
    },
    begun: async (name) => (await readFile(path(`${name}.begun`), 'utf8').catch(() => '')).length,
    reset,
    async commit(message, healthy = true) {
      await writeFile(
        join(work, 'migrations.txt'),
        `${await readFile(join(work, 'migrations.txt'), 'utf8').catch(() => '')}m${Date.now()}\n`,
      );
      return service.commit(message, { healthy });
    },
  };
}

async function script(folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text, { mode: 0o755 });
}

export function gate(folder: string, name: string): string {
  return `printf x >>'${folder}/${name}.begun'
if [ -e '${folder}/${name}.closed' ]; then : >'${folder}/${name}.entered'; fi
while [ -e '${folder}/${name}.closed' ]; do sleep 0.02; done
`;
}

export function printing(word: string): string {
  return `i=1; while [ $i -le ${LINES_EACH} ]; do echo "${word} $i"; i=$((i + 1)); done\n`;
}

/** Migrations are lines of a file in the release; what is applied is a file that stands for the database. */
export function migrate(folder: string): string {
  const applied = `'${folder}/database'`;
  return `set -eu
touch ${applied}
list() { grep -vxFf ${applied} migrations.txt | sed 's/.*/"&"/' | paste -sd, - || true; }
case $1 in
status) printf '{"revision": "%s", "pending": [%s]}\\n' "$(tail -n 1 ${applied})" "$(list)" ;;
up)
${gate(folder, 'migrate')}  cp migrations.txt ${applied} ;;
down) { [ -z "$FRAISIER_REVISION" ] || sed "/^$FRAISIER_REVISION\\$/q" ${applied}; } >${applied}.new; mv ${applied}.new ${applied} ;;
esac
`;
}

/** It stands at the gate when it was started after the gate was closed: what is live already answers. */
export function gatedServer(server: string, folder: string): string {
  const closed = JSON.stringify(join(folder, 'health.closed'));
  const entered = JSON.stringify(join(folder, 'health.entered'));
  return server
    .replace('readFileSync, writeFileSync', 'existsSync, readFileSync, statSync, writeFileSync')
    .replace(
      "response.writeHead(status === 'ok' ? 200 : 500",
      `const held = existsSync(${closed}) && statSync(${closed}).mtimeMs < Date.now() - process.uptime() * 1000;\n  if (held) writeFileSync(${entered}, '');\n  response.writeHead(held ? 503 : status === 'ok' ? 200 : 500`,
    );
}
