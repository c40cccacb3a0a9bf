import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../support/free-ports.js';
import { mustRun, runCommand } from '../support/run-command.js';
import { until } from '../support/until.js';

/** Where sshd is, which ordinary users often have not in their PATH. */
const SYSTEM_PATH = '/usr/sbin:/usr/local/sbin:/sbin';
/** Without it an sshd that root starts does not come up; systemd makes it where there is a service. */
const PRIVILEGE_SEPARATION = '/run/sshd';

/** Names that ssh takes by this configuration, with a connection to each that is open already. */
export interface SshHosts {
  readonly configuration: string;
  readonly hosts: readonly string[];
}

/**
 * Runs `work` with one sshd of this user on loopback and one open connection for each name; with null where OpenSSH is
 * not installed. Everything is in `folder`.
 */
export async function withSshHosts<T>(
  folder: string,
  hosts: readonly string[],
  work: (ssh: SshHosts | null) => Promise<T>,
): Promise<T> {
  const sshd = await placeOf('sshd');
  if (sshd === null || (await placeOf('ssh')) === null) return work(null);
  const [port = 0] = await freePorts(1);
  const settings = await writeSettings(folder, port);
  if (process.getuid?.() === 0) await mkdir(PRIVILEGE_SEPARATION, { recursive: true });
  const server = spawn(sshd, ['-D', '-e', '-f', settings.server], { stdio: 'ignore' });
  const connections = hosts.map((host) =>
    spawn('ssh', ['-F', settings.client, '-N', '-o', 'ConnectionAttempts=20', host], { stdio: 'ignore' }),
  );
  try {
    for (const host of hosts)
      await until(`a connection to ${host}`, () => access(join(folder, `${host}.sock`)).then(() => true));
    return await work({ configuration: settings.client, hosts });
  } finally {
    for (const child of [...connections, server]) child.kill();
    await Promise.all([...connections, server].map(ended));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Null when no such program is installed. */
export async function placeOf(program: string): Promise<string | null> {
  const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${SYSTEM_PATH}` };
  const { code, stdout } = await runCommand(['sh', '-c', `command -v ${program}`], { environment });
  return code === 0 ? stdout.trim() : null;
}

async function writeSettings(folder: string, port: number): Promise<{ server: string; client: string }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [hostKey, ownKey] = [join(folder, 'host-key'), join(folder, 'own-key')];
  for (const key of [hostKey, ownKey])
    await mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const [server, client] = [join(folder, 'sshd_config'), join(folder, 'ssh_config')];
  await writeFile(server, serverSettings(folder, port, hostKey, `${ownKey}.pub`));
  await writeFile(client, clientSettings(folder, port, ownKey));
  await chmod(client, 0o600);
  return { server, client };
}

/** With a home of its own: what this user's shell does at its start is not the work. */
function serverSettings(folder: string, port: number, hostKey: string, authorized: string): string {
  return `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKey}
AuthorizedKeysFile ${authorized}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
MaxStartups 1000
UseDNS no
LogLevel ERROR
SetEnv HOME=${folder}
`;
}

function clientSettings(folder: string, port: number, key: string): string {
  return `Host *
  HostName 127.0.0.1
  Port ${port}
  User ${userInfo().username}
  IdentityFile ${key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ControlMaster auto
  ControlPath ${folder}/%n.sock
`;
}
