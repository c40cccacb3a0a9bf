import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../support/fraisier-program.js';
import { signedPush, type PushToSign } from '../support/github.js';
import { Program } from '../support/program.js';
import type { CommandOptions, CommandOutput } from '../support/run-command.js';
import { until } from '../support/until.js';
import { addressOf, controllerProgram, nameAddresses, SHARED_NAME, statusOf } from './controllers.js';
import { startDatabase, type FleetDatabase } from './fleet-database.js';
import type { Host } from './lab/host.js';
import { startLab, type Lab } from './lab/lab.js';

/** Hosts that run agents, in the order of rollouts, unless a suite wants others; one more is the laptop. */
export const SERVERS = ['h1', 'h2'] as const;
export type Server = `h${number}`;
const LAPTOP = 'laptop';
/** Who sits at the laptop, and what the services run as: an ordinary user of every host. */
export const USER = 'deploy';
/** Short, so that a host that is cut off is seen to be away soon. */
const LEASE_MS = 6_000;
const REPOSITORIES_PORT = 80;
const SECRET = 'a-webhook-secret-for-the-fleet';

export interface ListedAgent {
  readonly name: string;
  readonly status: string;
  readonly agent_version: string;
}

export interface FleetOptions {
  /** More than one share a database of their own, and one name that has all their addresses. Default: 1, with the embedded one. */
  readonly controllers?: number;
}

/** Boots the hosts, starts the controller and logs the laptop in with the first token; leaves nothing behind when it throws. */
export async function startFleet(
  servers: readonly Server[] = SERVERS,
  { controllers = 1 }: FleetOptions = {},
): Promise<Fleet> {
  const lab = await startLab({ hosts: [...servers, LAPTOP] });
  let fleet: Fleet | undefined;
  try {
    const database = controllers === 1 ? undefined : await startDatabase(lab);
    fleet = new Fleet(lab, { servers, controllers, database });
    await fleet.start();
    return fleet;
  } catch (error) {
    await (fleet ?? lab).stop();
    throw error;
  }
}

interface FleetParts {
  readonly servers: readonly Server[];
  readonly controllers: number;
  readonly database: FleetDatabase | undefined;
}

/** A controller (or several) on a machine of its own, hosts for agents, and a laptop with the command line, on one network. */
export class Fleet {
  readonly lab: Lab;
  /** The hosts of agents, in the order of rollouts. */
  readonly servers: readonly Server[];
  readonly controllers: readonly Program[];
  /** What agents and people call the controllers. */
  readonly address: string;
  /** Bare repositories below it are served to the hosts as `<repositoriesUrl>/NAME.git`. */
  readonly repositories: string;
  readonly repositoriesUrl: string;
  readonly #git: Program;
  readonly #tokenFile: string;
  readonly #database: FleetDatabase | undefined;

  constructor(lab: Lab, { servers, controllers, database }: FleetParts) {
    this.lab = lab;
    this.servers = servers;
    this.address = controllers === 1 ? lab.address : SHARED_NAME;
    this.#database = database;
    this.repositories = join(lab.folder, 'repositories');
    this.repositoriesUrl = `http://${lab.address}`;
    this.#tokenFile = join(lab.folder, 'first-token');
    const environment = { FRAISIER_LEASE_MS: String(LEASE_MS), GITHUB_WEBHOOK_SECRET: SECRET };
    const told = { of: controllers, firstToken: this.#tokenFile, databaseUrl: database?.url, environment };
    this.controllers = Array.from({ length: controllers }, (_, index) => controllerProgram(lab, index, told));
    const server = fileURLToPath(new URL('git-server.js', import.meta.url));
    const place = [this.repositories, lab.address, String(REPOSITORIES_PORT)];
    this.#git = new Program({
      name: 'repositories',
      argv: lab.argv([process.execPath, server, ...place]),
      environment: plainEnvironment(),
      cwd: lab.folder,
      logFile: join(lab.folder, 'repositories.log'),
      ready: async (signal) => {
        const answers = async () => (await statusOf(lab, this.repositoriesUrl)) > 0;
        await until('the repositories to be served', answers, { everyMs: 100, signal });
      },
    });
  }

  /** The host of an agent. */
  server(name: Server): Host {
    return this.lab.host(name);
  }

  /** The first of the controllers. */
  get controller(): Program {
    return this.controllers[0] as Program;
  }

  /** The database that several controllers share. */
  get database(): FleetDatabase {
    if (this.#database === undefined) throw new Error('this fleet has one controller, with its own database');
    return this.#database;
  }

  get laptop(): Host {
    return this.lab.host(LAPTOP);
  }

  /** Starts what is not a host, and logs in; once. */
  async start(): Promise<void> {
    // The embedded PostgreSQL runs as another user, who must be able to pass through.
    await chmod(this.lab.folder, 0o711);
    await mkdir(this.repositories);
    if (this.controllers.length > 1) await nameAddresses(this.lab, this.controllers.length);
    // The first makes the key that all have.
    await Promise.all([this.controller.start(), this.#git.start()]);
    await Promise.all(this.controllers.slice(1).map((controller) => controller.start()));
    // Written once everything listens, so a little after the controller says that it is healthy.
    await until('the first token', async () => (await readFile(this.#tokenFile, 'utf8')) !== '');
    const { code, stdout, stderr } = await this.login();
    if (code !== 0) throw new Error(`the laptop cannot log in (${code}):\n${stdout}${stderr}`);
  }

  /** `fraisier login` on the laptop, the token on its standard input. */
  async login(): Promise<CommandOutput> {
    return this.cli(['login', this.address], { input: await readFile(this.#tokenFile, 'utf8') });
  }

  /** Runs `fraisier …args` on the laptop, as an ordinary user. */
  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    const asUser = ['runuser', '-u', USER, '--', 'env', `HOME=/home/${USER}`] as const;
    return this.laptop.exec([...asUser, 'fraisier', ...args], { timeoutMs: 120_000, ...options });
  }

  /** As `cli`; throws with the command line's words unless it ends with 0. Returns standard output. */
  async must(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, options);
    if (code !== 0) throw new Error(`fraisier ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** As `must` with `--json`, parsed. */
  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.must([...args, '--json'])) as T;
  }

  /** Applies a configuration from the laptop; throws when it is refused. */
  async apply(configuration: string): Promise<void> {
    await writeFile(join(this.laptop.root, 'home', USER, 'fraises.yaml'), configuration);
    await this.must(['apply', `/home/${USER}/fraises.yaml`]);
  }

  /** The webhook's answer to a push of a commit to `main`: the deployment it started, the first if several. */
  async push(repository: string, commit: string): Promise<string> {
    return (await this.pushToAll(repository, commit))[0] as string;
  }

  /** As `push`: all deployments it started; at least one. */
  async pushToAll(repository: string, commit: string): Promise<readonly string[]> {
    const said = await this.deliver({ repository, branch: 'main', commit });
    const { deployments = [] } = said;
    if (deployments.length === 0) throw new Error(`not accepted: ${JSON.stringify(said)}`);
    return deployments;
  }

  /** As `fraisier agents` lists it; undefined when it never enrolled. */
  async agent(server: Server): Promise<ListedAgent | undefined> {
    const { agents } = await this.json<{ agents: readonly ListedAgent[] }>(['agents']);
    return agents.find((agent) => agent.name === server);
  }

  /** Sends a signed push to one of the controllers and returns its answer; throws when nobody answers. */
  async deliver(push: Omit<PushToSign, 'secret'>, controller = 0): Promise<Delivered> {
    const { headers, body } = signedPush({ ...push, secret: SECRET });
    const words = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
    const url = `http://${addressOf(controller)}:8080/webhook`;
    const how = ['--silent', '--show-error', '--max-time', '15', '--data-binary', '@-'];
    return JSON.parse(await this.lab.must(['curl', ...how, ...words, url], { input: body })) as Delivered;
  }

  /** `connected`, `away` or `revoked`; empty when it never enrolled. */
  async statusOf(server: Server): Promise<string> {
    return (await this.agent(server))?.status ?? '';
  }

  async connected(server: Server): Promise<void> {
    const here = async () => (await this.statusOf(server)) === 'connected';
    await until(`the agent on ${server} to be connected`, here, { timeoutMs: 60_000, everyMs: 200 });
  }

  /** The ends of the logs of the controllers and of every agent that can be asked, for a test that failed. */
  async logs(): Promise<string> {
    const agents = this.servers.map(async (name) => {
      const journal = [
        'journalctl',
        '--no-pager',
        '--output=cat',
        '--lines=15',
        '--unit=fraisier-agent',
      ] as const;
      const said = await this.server(name)
        .exec(journal)
        .catch(() => ({ stdout: '(is off)' }));
      return `agent on ${name}:\n${said.stdout}`;
    });
    const controllers = this.controllers.map(
      async (controller, index) => `controller ${index + 1}:\n${await controller.logTail()}`,
    );
    return (await Promise.all([...controllers, ...agents])).join('\n\n');
  }

  /** Ends everything and takes the lab down. May be called twice. */
  async stop(): Promise<void> {
    await Promise.all([...this.controllers, this.#git].map((program) => program.stop()));
    await this.#database?.stop();
    await this.lab.stop();
  }
}

/** What a webhook answers, also when it cannot take the delivery. */
export interface Delivered {
  readonly deployments?: readonly string[];
  readonly error_type?: string;
}
