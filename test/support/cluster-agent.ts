import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Control } from '../../cli/client.js';
import { FRAISIER, plainEnvironment } from './fraisier-program.js';
import { Program } from './program.js';
import { until } from './until.js';

export interface AgentSpec {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `policy.yaml` of this host; default: everything below the cluster's folder is allowed. */
  readonly policy?: string;
}

/** What an agent needs to know of its cluster. */
interface Home {
  readonly folder: string;
  readonly apps: string;
  readonly grpc: string;
  readonly separateHosts: boolean;
  readonly control: Control;
}

const TOKEN_MS = 60_000;

/** Enrols an agent with a join token and launches it; `ready()` of the program waits until it is connected. */
export async function launchAgent(home: Home, spec: AgentSpec): Promise<Program> {
  const folder = join(home.folder, 'agents', spec.name);
  const ownApps = join(folder, 'apps');
  const policy = join(folder, 'policy.yaml');
  await mkdir(ownApps, { recursive: true });
  await writeFile(policy, spec.policy ?? allowEverythingBelow(home.folder), { mode: 0o644 });
  const flags = ['--controller', home.grpc, '--state', join(folder, 'state'), '--policy', policy];
  const argv: [string, ...string[]] = [process.execPath, FRAISIER, 'agent', ...flags];
  const program = new Program({
    name: `agent ${spec.name}`,
    argv: home.separateHosts ? [...ownMount(ownApps, home.apps), ...argv] : argv,
    environment: plainEnvironment(),
    cwd: folder,
    logFile: join(folder, 'agent.log'),
    ready: async (signal) => {
      await until(`agent ${spec.name} to be connected`, () => isConnected(home, spec.name), {
        signal,
      });
    },
  });
  program.launch({ environment: { FRAISIER_JOIN_TOKEN: await joinToken(home, spec) } });
  return program;
}

async function joinToken({ control }: Home, { name, labels = {} }: AgentSpec): Promise<string> {
  const { token } = await control.ask('createJoinToken', { name, labels, ttlMs: TOKEN_MS });
  return token;
}

async function isConnected(home: Home, name: string): Promise<boolean> {
  const { agents } = await home.control.ask('listAgents', {});
  return agents.some((agent) => agent.name === name && agent.status === 'connected');
}

/** argv that sees `from` at `to` in a mount namespace of its own and becomes the program (same process, same user). */
function ownMount(from: string, to: string): [string, ...string[]] {
  const user = process.getuid?.() ?? 0;
  const group = process.getgid?.() ?? 0;
  const namespaces = user === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const back = user === 0 ? '' : `unshare --user --map-user=${user} --map-group=${group} `;
  const script = `mount --bind "$1" "$2" && shift 2 && exec ${back}"$@"`;
  return ['unshare', ...namespaces, '--propagation', 'private', 'sh', '-c', script, 'sh', from, to];
}

/** The policy of a test host; one for a real host names every line. */
function allowEverythingBelow(folder: string): string {
  return policyFile({
    repositories: [`${folder}/*`],
    paths: [folder],
    users: [userInfo().username],
    commands: ['* **'],
  });
}

/** `policy.yaml` from its lists; what is left out allows nothing. */
export function policyFile(
  lists: Partial<Record<'repositories' | 'paths' | 'units' | 'users' | 'commands', readonly string[]>>,
): string {
  return Object.entries(lists)
    .map(([key, values]) => `${key}: ${JSON.stringify(values)}\n`)
    .join('');
}
