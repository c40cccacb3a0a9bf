import { chmod, mkdtemp, mkdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Control } from '../../cli/client.js';
import { launchAgent, type AgentSpec } from './cluster-agent.js';
import { FRAISIER, plainEnvironment } from './fraisier-program.js';
import { freePorts } from './free-ports.js';
import { killProcessesBelow } from './leftovers.js';
import { Program } from './program.js';
import { runCommand, type CommandOptions, type CommandOutput } from './run-command.js';
import { testDatabase } from './database.js';
import { endConnections, scratchDatabase, type ScratchDatabase } from './scratch-database.js';
import { until } from './until.js';

export interface ClusterOptions {
  /** Names, or names with labels; each becomes a real agent, enrolled with a join token. Default: `web-1`. */
  readonly agents?: readonly (string | AgentSpec)[];
  /** Added to the controller's environment: webhook secrets, lease times. */
  readonly environment?: Readonly<Record<string, string>>;
  /** `fraises.yaml`, applied once the agents are connected. */
  readonly configuration?: string | ((cluster: Cluster) => string);
  /**
   * Give each agent its own folder under the one path `cluster.apps` (a bind mount in a mount namespace of its own), so
   * that several agents on this machine can carry out one rollout. Needs Linux and root or user namespaces.
   */
  readonly separateHosts?: boolean;
  /** On a migrated database of the tests' server, not on an embedded server of its own: starts seconds sooner. */
  readonly onTestServer?: boolean;
  /** Default: `DATABASE_URL` of this process (a database of its own is made there), else the embedded server. */
  readonly databaseUrl?: string;
  /** Settings of the controller's connections to it, as `-c NAME=VALUE`; not for the embedded server. */
  readonly databaseOptions?: string;
  /** Under which name agents are told to dial the agents' port. Default: 127.0.0.1, where it is. */
  readonly advertise?: string;
  /** Prefix of the scratch folder's name; may hold spaces. */
  readonly folderPrefix?: string;
}

/** Starts a cluster and waits until every agent is connected; leaves nothing behind when it throws. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.make(options);
  try {
    await cluster.controller.start();
    for (const agent of options.agents ?? ['web-1']) await cluster.addAgent(agent);
    const configuration = options.configuration;
    if (configuration !== undefined) {
      await cluster.apply(typeof configuration === 'string' ? configuration : configuration(cluster));
    }
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** `startCluster`, `work`, `stop`, whatever happens. */
export async function withCluster<T>(
  options: ClusterOptions,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await startCluster(options);
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

/** A real controller and real agents as child processes in a scratch folder, and the command line to speak to them. */
export class Cluster {
  /** Holds everything; removed by `stop`. */
  readonly folder: string;
  /** Where agents may deploy to: an `app_path` is a folder below it. */
  readonly apps: string;
  /** `http://127.0.0.1:PORT` of the webhooks. */
  readonly http: string;
  /** `HOST:PORT` of the command line's gRPC port. */
  readonly grpc: string;
  /** The unix socket, as `--controller` takes it. */
  readonly socket: string;
  /** `HOST:PORT` where the controller listens for agents. */
  readonly agentsPort: string;
  /** Undefined: the embedded server. */
  readonly databaseUrl: string | undefined;
  readonly separateHosts: boolean;
  readonly controller: Program;
  /** As the command line speaks to the controller, without starting a process: for waiting. */
  readonly control: Control;
  readonly #agents = new Map<string, Program>();
  readonly #others: Program[] = [];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #dropDatabase: () => Promise<void>;

  /** Prepares folder, ports and database; starts nothing. */
  static async make(options: ClusterOptions): Promise<Cluster> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), options.folderPrefix ?? 'fraisier-')));
    const database = await databaseFor(options);
    await mkdir(join(folder, 'apps'));
    // As root, the embedded server runs as another user, who must be able to pass through to its data.
    await mkdir(join(folder, 'controller'));
    await chmod(folder, 0o711);
    return new Cluster(folder, await freePorts(3), options, database);
  }

  private constructor(
    folder: string,
    ports: readonly number[],
    options: ClusterOptions,
    database: ScratchDatabase | undefined,
  ) {
    const [http, grpc, agents] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string];
    this.folder = folder;
    this.apps = join(folder, 'apps');
    this.http = `http://${http}`;
    this.grpc = grpc;
    this.agentsPort = agents;
    this.socket = `unix:${join(folder, 'fraisier.sock')}`;
    this.control = new Control({ kind: 'socket', address: this.socket, path: join(folder, 'fraisier.sock') });
    this.separateHosts = options.separateHosts ?? false;
    this.databaseUrl = database?.url;
    this.#environment = options.environment ?? {};
    this.#dropDatabase = database?.drop ?? (() => Promise.resolve());
    const told = options.advertise ?? '127.0.0.1';
    const addresses = ['--http', http, '--grpc', grpc, '--agents', agents, '--advertise', told];
    const places = ['--socket', join(folder, 'fraisier.sock'), '--state', join(folder, 'controller')];
    this.controller = new Program({
      name: 'controller',
      argv: [process.execPath, FRAISIER, 'controller', ...addresses, ...places],
      environment: { ...plainEnvironment(), DATABASE_URL: database?.url, ...options.environment },
      cwd: folder,
      logFile: join(folder, 'controller.log'),
      ready: async (signal) => {
        await until('the controller to be healthy', () => isHealthy(this.http), {
          timeoutMs: 60_000,
          signal,
        });
      },
    });
  }

  /**
   * SIGKILL to the embedded server, which the controller starts again by itself. On a server that others use too, every
   * connection to the cluster's database is ended.
   */
  async killDatabase(): Promise<void> {
    if (this.databaseUrl !== undefined) return endConnections(this.databaseUrl);
    const [moved] = await movedDatabase(this.folder);
    const place = moved ?? join(this.folder, 'controller', 'postgres');
    const [pid] = (await readFile(join(place, 'data', 'postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(pid), 'SIGKILL');
  }

  agent(name: string): Program {
    const found = this.#agents.get(name);
    if (found === undefined) throw new Error(`this cluster has no agent ${name}`);
    return found;
  }

  /**
   * Starts one more controller over the same database and with the same key; returns its address for webhooks. Needs a
   * database that controllers can share: not the embedded one.
   */
  async addController(): Promise<string> {
    if (this.databaseUrl === undefined) throw new Error('controllers can share only a database of their own');
    const name = `controller-${this.#others.length + 2}`;
    const [http, grpc, agents] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`) as [
      string,
      string,
      string,
    ];
    const addresses = ['--http', http, '--grpc', grpc, '--agents', agents, '--advertise', '127.0.0.1'];
    const places = ['--socket', join(this.folder, `${name}.sock`), '--state', join(this.folder, name)];
    const key = ['--key-file', join(this.folder, 'controller', 'key')];
    const program = new Program({
      name,
      argv: [process.execPath, FRAISIER, 'controller', ...addresses, ...places, ...key],
      environment: { ...plainEnvironment(), DATABASE_URL: this.databaseUrl, ...this.#environment },
      cwd: this.folder,
      logFile: join(this.folder, `${name}.log`),
      ready: async (signal) => {
        await until(`${name} to be healthy`, () => isHealthy(`http://${http}`), {
          timeoutMs: 60_000,
          signal,
        });
      },
    });
    this.#others.push(program);
    await program.start();
    return `http://${http}`;
  }

  /** The end of an agent's log; empty when there is no such agent. */
  async agentLog(name: string): Promise<string> {
    return (await this.#agents.get(name)?.logTail()) ?? '';
  }

  /** Adds and enrols one more agent, and waits until it is connected. */
  async addAgent(agent: string | AgentSpec): Promise<Program> {
    const spec = typeof agent === 'string' ? { name: agent } : agent;
    const program = await launchAgent(this, spec);
    this.#agents.set(spec.name, program);
    await program.ready();
    return program;
  }

  /** Runs `fraisier …args` as the local admin. */
  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    const environment = {
      ...plainEnvironment(),
      FRAISIER_CONTROLLER: this.socket,
      ...options.environment,
    };
    return runCommand([process.execPath, FRAISIER, ...args], { ...options, environment });
  }

  /** As `cli` with `--json`, parsed; throws with the CLI's words unless it ends with 0. */
  async json<T>(args: readonly string[], options: CommandOptions = {}): Promise<T> {
    return JSON.parse(await this.must([...args, '--json'], options)) as T;
  }

  /** As `cli`; throws with the CLI's words unless it ends with 0. Returns standard output. */
  async must(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, options);
    if (code !== 0) throw new Error(`fraisier ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Applies a configuration; throws when it is refused. */
  async apply(configuration: string): Promise<void> {
    const fileName = join(this.folder, 'fraises.yaml');
    await this.control.ask('applyConfiguration', { text: configuration, fileName, dryRun: false });
  }

  /** Ends everything and removes the folder. Returns the argv of processes that had to be killed. May be called twice. */
  async stop(): Promise<readonly string[]> {
    this.control.close();
    await Promise.all([...this.#agents.values()].map((agent) => agent.stop()));
    await Promise.all([this.controller, ...this.#others].map((controller) => controller.stop()));
    await this.#dropDatabase();
    const killed: string[] = [];
    for (const folder of [...(await movedDatabase(this.folder)), this.folder]) {
      killed.push(...(await killProcessesBelow(folder)).map(({ argv }) => argv));
      await rm(folder, { recursive: true, force: true });
    }
    return killed;
  }
}

async function databaseFor(options: ClusterOptions): Promise<ScratchDatabase | undefined> {
  const database = await emptyDatabaseFor(options);
  if (database === undefined || options.databaseOptions === undefined) return database;
  const url = new URL(database.url);
  url.searchParams.append('options', options.databaseOptions);
  // pg takes a plus sign for what it is.
  return { ...database, url: url.href.replaceAll('+', '%20') };
}

async function emptyDatabaseFor(options: ClusterOptions): Promise<ScratchDatabase | undefined> {
  if (options.onTestServer === true) {
    const { url, close } = await testDatabase();
    return { url, drop: close };
  }
  const server = options.databaseUrl ?? process.env['DATABASE_URL'] ?? '';
  return server === '' ? undefined : await scratchDatabase(server);
}

async function isHealthy(http: string): Promise<boolean> {
  const answer = await fetch(`${http}/health`, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.ok;
}

/** Where the embedded server keeps its data when its user may not pass through to the controller's state folder. */
async function movedDatabase(folder: string): Promise<readonly string[]> {
  const place = await readFile(join(folder, 'controller', 'postgres', 'moved-to'), 'utf8').catch(() => '');
  return place === '' ? [] : [place.trim()];
}
