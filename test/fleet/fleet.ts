import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { signedPush } from '../support/github.js';
import { Program } from '../support/program.js';
import { mustRun, runCommand, type CommandOptions, type CommandOutput } from '../support/run-command.js';
import { until } from '../support/until.js';
import { startLab, type Lab } from './lab/lab.js';

const SECRET = 'a-webhook-secret-of-the-fleet';
const GIT_PORT = 8081;

/** A lab with a controller in its hub and, on every host, the real agent as a real systemd service. */
export class Fleet {
  readonly lab: Lab;
  readonly controller: Program;
  /** Repositories in this folder are served to the hosts. */
  readonly repositories: string;
  readonly #git: Program;
  readonly #socket: string;

  constructor(lab: Lab) {
    this.lab = lab;
    this.repositories = join(lab.folder, 'repositories');
    const socket = join(lab.folder, 'fraisier.sock');
    this.#socket = `unix:${socket}`;
    const at = (port: number) => `${lab.address}:${port}`;
    const listen = ['--http', at(8080), '--grpc', at(9090), '--agents', at(9091), '--advertise', lab.address];
    this.controller = new Program({
      name: 'controller',
      argv: lab.argv([
        process.execPath,
        FRAISIER,
        'controller',
        ...listen,
        '--socket',
        socket,
        '--state',
        join(lab.folder, 'controller'),
      ]),
      environment: { ...plainEnvironment(), GITHUB_WEBHOOK_SECRET: SECRET, FRAISIER_LEASE_MS: '6000' },
      cwd: lab.folder,
      logFile: join(lab.folder, 'controller.log'),
      ready: (signal) => this.#answers(`http://${at(8080)}/health`, signal, '-f'),
    });
    const server = fileURLToPath(new URL('git-server.js', import.meta.url));
    this.#git = new Program({
      name: 'git server',
      argv: lab.argv([process.execPath, server, this.repositories, lab.address, String(GIT_PORT)]),
      environment: plainEnvironment(),
      cwd: lab.folder,
      logFile: join(lab.folder, 'git.log'),
      ready: (signal) => this.#answers(`http://${at(GIT_PORT)}/none/info/refs`, signal),
    });
  }

  /** Starts controller and git server, and makes every host an agent. */
  async start(allow: readonly string[]): Promise<void> {
    await mkdir(this.repositories);
    // The embedded server runs as another user, who must be able to pass through to its data.
    await mkdir(join(this.lab.folder, 'controller'));
    await chmod(this.lab.folder, 0o711);
    await Promise.all([this.controller.start(), this.#git.start()]);
    for (const host of this.lab.hosts) await this.#install(host.name, allow);
  }

  /** The address of a repository, as hosts and webhooks know it. */
  repository(name: string): string {
    return `http://${this.lab.address}:${GIT_PORT}/${name}.git`;
  }

  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
    return runCommand([process.execPath, FRAISIER, ...args], {
      ...options,
      environment: this.#environment(),
    });
  }

  /** As `cli` with `--json`, parsed; throws unless it ends with 0. */
  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(
      await mustRun([process.execPath, FRAISIER, ...args, '--json'], { environment: this.#environment() }),
    ) as T;
  }

  async apply(configuration: string): Promise<void> {
    const file = join(this.lab.folder, 'fraises.yaml');
    await writeFile(file, configuration);
    await mustRun([process.execPath, FRAISIER, 'apply', file], { environment: this.#environment() });
  }

  /** Sends a signed push of a commit to `main` and returns the deployment it started. */
  async push(repository: string, commit: string): Promise<string> {
    const { headers, body } = signedPush({ repository, branch: 'main', commit, secret: SECRET });
    const words = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const url = `http://${this.lab.address}:8080/webhook`;
    const answer = await this.lab.must(['curl', '-sS', '--data-binary', '@-', ...words, url], {
      input: body,
    });
    const [id] = (JSON.parse(answer) as { deployments?: readonly string[] }).deployments ?? [];
    if (id === undefined) throw new Error(`not accepted: ${answer}`);
    return id;
  }

  /** Waits until the agent of a host is connected, or is not. */
  async connected(name: string, wanted = true): Promise<void> {
    await until(
      `agent ${name} to be ${wanted ? 'connected' : 'away'}`,
      async () => {
        const { agents } = await this.json<{ agents: readonly { name: string; status: string }[] }>([
          'agents',
        ]);
        return agents.some((agent) => agent.name === name && (agent.status === 'connected') === wanted);
      },
      { timeoutMs: 60_000, everyMs: 300 },
    );
  }

  /** Ends everything; may be called twice. */
  async stop(): Promise<void> {
    await Promise.all([this.controller.stop(), this.#git.stop()]);
    await this.lab.stop();
  }

  async #install(name: string, allow: readonly string[]): Promise<void> {
    const { token } = await this.json<{ token: string }>(['agents', 'token', '--name', name]);
    const join = ['--controller', this.lab.address, '--join-token-file', '-'];
    await this.lab.host(name).must(['fraisier', 'agent', 'install', ...join, ...allow], { input: token });
    await this.connected(name);
  }

  /** With `-f` among the flags, only an answer that says all is well counts. */
  async #answers(url: string, signal: AbortSignal, ...flags: readonly string[]): Promise<void> {
    const asks = async () =>
      (await this.lab.exec(['curl', '-s', ...flags, '-o', '/dev/null', url])).code === 0;
    await until(`${url} to answer`, asks, { timeoutMs: 60_000, everyMs: 200, signal });
  }

  #environment(): Record<string, string | undefined> {
    return { ...plainEnvironment(), FRAISIER_CONTROLLER: this.#socket };
  }
}

/** Boots a fleet; `allow` are the policy flags of `agent install`. Leaves nothing behind when it throws. */
export async function startFleet(hosts: readonly string[], allow: readonly string[]): Promise<Fleet> {
  const fleet = new Fleet(await startLab({ hosts }));
  try {
    await fleet.start(allow);
    return fleet;
  } catch (error) {
    const said = await fleet.controller.logTail();
    await fleet.stop();
    throw new Error(`the fleet did not start; the controller's last words:\n${said}`, { cause: error });
  }
}
