import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { Program } from '../support/program.js';
import { until } from '../support/until.js';
import type { Lab } from './lab/lab.js';

/** A name with the addresses of all controllers, as round-robin DNS has it. */
export const SHARED_NAME = 'deploy.lab';

/** What all controllers of a fleet are told. */
export interface Told {
  /** How many they are. */
  readonly of: number;
  /** Where the first puts the first token. */
  readonly firstToken: string;
  /** Of the database they share; without it the first has the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** The address of a controller: the first has that of the hub, the others the next ones. */
export function addressOf(index: number): string {
  return `10.99.0.${index + 1}`;
}

/** The unix socket of a controller, which is there for this machine too. */
export function socketOf(lab: Lab, index: number): string {
  return join(lab.folder, index === 0 ? 'control.sock' : `control-${index + 1}.sock`);
}

/** A controller in the hub, on the ports that everybody knows. */
export function controllerProgram(lab: Lab, index: number, told: Told): Program {
  const { folder } = lab;
  const [name, address] = [index === 0 ? 'controller' : `controller-${index + 1}`, addressOf(index)];
  const listen = ['--http', ':8080', '--grpc', ':9090', '--agents', ':9091'];
  const alone = ['--advertise', address, '--first-token-file', told.firstToken];
  const oneOfMany = [
    ...listen.map((word) => word.replace(':', `${address}:`)),
    ...['--advertise', `${SHARED_NAME},${address}`, '--key-file', join(folder, 'controller', 'key')],
    ...(index === 0 ? ['--first-token-file', told.firstToken] : []),
  ];
  const places = ['--state', join(folder, name), '--socket', socketOf(lab, index)];
  return new Program({
    name,
    argv: lab.argv([
      ...[process.execPath, FRAISIER, 'controller'],
      ...(told.of === 1 ? alone : oneOfMany),
      ...places,
    ]),
    environment: { ...plainEnvironment(), DATABASE_URL: told.databaseUrl, ...told.environment },
    cwd: folder,
    logFile: join(folder, `${name}.log`),
    ready: async (signal) => {
      const healthy = async () => (await statusOf(lab, `http://${address}:8080/health`)) === 200;
      await until(`${name} to be healthy`, healthy, { timeoutMs: 60_000, everyMs: 100, signal });
    },
  });
}

/** Gives the hub the addresses of all controllers, and every host the shared name, each with another one first. */
export async function nameAddresses(lab: Lab, count: number): Promise<void> {
  const addresses = Array.from({ length: count }, (_, index) => addressOf(index));
  for (const address of addresses.slice(1))
    await lab.must(['ip', 'addr', 'add', `${address}/24`, 'dev', 'br0']);
  for (const [at, { root }] of lab.hosts.entries()) {
    const turned = addresses.map((_, index) => addresses[(at + index) % count] ?? '');
    const names = ['127.0.0.1 localhost', ...turned.map((address) => `${address} ${SHARED_NAME}`)];
    await writeFile(join(root, 'etc/hosts'), `${names.join('\n')}\n`);
  }
}

/** The status of an answer to somebody in the hub; 0: nobody answers. */
export async function statusOf(lab: Lab, url: string): Promise<number> {
  const quiet = ['--silent', '--output', '/dev/null', '--max-time', '2', '--write-out', '%{http_code}'];
  return Number((await lab.exec(['curl', ...quiet, url])).stdout);
}
