import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Runtime } from './runtime.js';
import type { ServerUser } from './server-user.js';

/**
 * Becomes the server (`exec`), after leaving a watcher behind that ends it (fast shutdown) as soon as standard input
 * closes: the other end is held by the controller alone, so the server dies with it, also after `kill -9`. The watcher
 * is forked twice, because PostgreSQL takes the death of an unknown child for a crash.
 */
const LAUNCHER = `
exec 3<&0
( ( read -r _ <&3; kill -INT $$ 2>/dev/null ) >/dev/null 2>&1 & )
exec "$@" 3<&- </dev/null`;

/** What differs from PostgreSQL's defaults: no network, few processes, little disk. Durable: fsync stays on. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  io_method: 'sync',
  jit: 'off',
  min_wal_size: '32MB',
  max_wal_size: '512MB',
  log_checkpoints: 'off',
};

export interface Launch {
  readonly runtime: Runtime;
  readonly user: ServerUser | null;
  readonly data: string;
  readonly socketFolder: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Descriptor of the open log file. */
  readonly log: number;
}

/** Starts the server; its standard input is its lease on life. It accepts connections some time later. */
export function launchPostmaster({ runtime, user, data, socketFolder, settings, log }: Launch): ChildProcess {
  const chosen = { ...SETTINGS, unix_socket_directories: quoteListItem(socketFolder), ...settings };
  const options = Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const argv = [join(runtime.bin, 'postgres'), '-D', data, ...options];
  return spawn('/bin/sh', ['-c', LAUNCHER, 'fraisier-postgresql', ...argv], {
    ...processOptions(runtime, user, data),
    stdio: ['pipe', log, log],
    // Its own session: a Ctrl-C for the controller must not stop the database under it.
    detached: true,
  });
}

/** Folder, environment and user of every program of the package. */
export function processOptions(
  { libraryPath }: Runtime,
  user: ServerUser | null,
  cwd: string,
): { cwd: string; env: Record<string, string>; uid?: number; gid?: number } {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return {
    cwd,
    env: libraryPath === '' ? env : { ...env, LD_LIBRARY_PATH: libraryPath },
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
  };
}

function quoteListItem(path: string): string {
  return `"${path.replaceAll('"', '""')}"`;
}

/**
 * Shuts down a server that an earlier controller left running on this data (the caller holds the folder's lock, so
 * nobody uses it), and removes its pid file when the number belongs to another program by now.
 */
export async function endLeftover(
  data: string,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  const pidFile = join(data, 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number(text.split('\n', 1)[0]);
  if (!Number.isInteger(pid) || pid <= 1) return false;
  if (!(await isPostmasterOf(pid, data, platform))) {
    await rm(pidFile, { force: true });
    return false;
  }
  await endProcess(pid);
  return true;
}

async function isPostmasterOf(pid: number, data: string, platform: NodeJS.Platform): Promise<boolean> {
  if (platform === 'linux') {
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    return folder === (await realpath(data));
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout.includes(`-D ${data}`);
}

/** Fast shutdown, then immediate, then SIGKILL; returns when the process is gone. */
export async function endProcess(pid: number, patienceMs = 15_000): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    signalIfThere(pid, signal);
    if (await isGoneWithin(pid, patienceMs)) return;
  }
  signalIfThere(pid, 'SIGKILL');
  await isGoneWithin(pid, patienceMs);
}

async function isGoneWithin(pid: number, patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (signalIfThere(pid, 0)) {
    if (Date.now() > until) return false;
    await sleep(10);
  }
  return true;
}

/** False when there is no such process. */
function signalIfThere(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
