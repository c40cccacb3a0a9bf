import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withCluster, type Cluster } from '../support/cluster.js';
import { sampleConfiguration, sampleService, type SampleService } from '../support/sample-service.js';

/** Signs the pushes of the bench. */
export const SECRET = 'a secret of the bench';

/** A controller, its agents, and what they deploy. */
export interface BenchFleet {
  readonly cluster: Cluster;
  readonly hosts: readonly string[];
  /** Something healthy that every host can ask: all of them share this machine's loopback. */
  readonly health: string;
  /** The service of this name, and its install command. */
  service(name: string): BenchService;
}

export interface BenchService extends SampleService {
  readonly install: readonly string[];
}

/** The install command of each fraise, by the fraise's name; the folder holds everything of the fleet. */
export type Installs = (folder: string) => Readonly<Record<string, readonly string[]>>;

export interface FleetOptions {
  /** The restart command of every fraise; default: one that does nothing. */
  readonly restart?: readonly string[];
  /** Added to the environment of every fraise, line by line; the folder holds everything of the fleet. */
  readonly more?: (folder: string) => readonly string[];
}

/** Runs `work` with `count` connected agents, each on a host of its own, and a fraise for each of `installs`. */
export async function withFleet<T>(
  count: number,
  installs: Installs,
  work: (fleet: BenchFleet) => Promise<T>,
  { restart = ['true'], more = () => [] }: FleetOptions = {},
): Promise<T> {
  const hosts = Array.from({ length: count }, (_, at) => `web-${at + 1}`);
  const options = { agents: hosts, separateHosts: true, environment: { GITHUB_WEBHOOK_SECRET: SECRET } };
  return withCluster(options, (cluster) =>
    withHealth(async (health) => {
      const services = new Map<string, BenchService>();
      for (const [name, install] of Object.entries(installs(cluster.folder)))
        services.set(name, { ...(await sampleService(cluster.folder, cluster.apps, name)), install });
      const fraises = [...services].map(([name, service]) =>
        fraise(name, service, hosts, { health, restart, more: more(cluster.folder) }),
      );
      await cluster.apply(sampleConfiguration(...fraises));
      const service = (name: string): BenchService => services.get(name) ?? unknownService(name);
      return work({ cluster, hosts, health, service });
    }),
  );
}

function unknownService(name: string): never {
  throw new Error(`the bench has no service ${name}`);
}

interface Words {
  readonly health: string;
  readonly more: readonly string[];
}

function fraise(
  name: string,
  service: BenchService,
  hosts: readonly string[],
  { health, restart, more }: Required<Omit<FleetOptions, 'more'>> & Words,
): string {
  return `  ${name}:
    type: api
    repository: ${JSON.stringify(service.repository)}
    environments:
      production:
        branch: main
        hosts: ${JSON.stringify(hosts)}
        app_path: ${JSON.stringify(service.appPath)}
        install: { command: ${JSON.stringify(service.install)} }
        restart: { command: ${JSON.stringify(restart)} }
        health_check: { url: ${health}, delay: 100ms }
        rollout: { strategy: all_at_once }
${more.map((line) => `        ${line}\n`).join('')}`;
}

async function withHealth<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_request, response) => response.end('{"status":"ok"}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
