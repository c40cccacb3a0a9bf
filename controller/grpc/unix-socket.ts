import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FraisierError } from '../../proto/error-codes.js';

/** `sun_path` holds 108 bytes on Linux and 104 elsewhere, the last one a zero. */
const LONGEST_PATH = 103;
const STARTING_MS = 2_000;

/**
 * Makes sure that this process alone will listen at `path`: its folder (0750 when it has to be made), a lock file with
 * our process id beside it, no stale socket of a killed controller. Returns the function that clears both away.
 * Throws FraisierError `invalid_configuration` when another controller listens there or the path is too long.
 */
export async function claimSocket(path: string): Promise<() => Promise<void>> {
  const length = Buffer.byteLength(path);
  if (length > LONGEST_PATH) {
    throw refused(
      `the socket's path ${path} has ${length} bytes, and a unix socket's path at most ${LONGEST_PATH}`,
    );
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  const lock = `${path}.lock`;
  while (!(await takeLock(lock))) await removeStaleLock(path, lock);
  await rm(path, { force: true });
  return async () => {
    await rm(path, { force: true });
    await rm(lock, { force: true });
  };
}

/** The lock appears whole, with its content: nobody ever reads an empty one. */
async function takeLock(lock: string): Promise<boolean> {
  const own = `${lock}.${randomBytes(6).toString('hex')}`;
  await writeFile(own, `${process.pid}\n`, { mode: 0o640 });
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** A process id may have been given to somebody else since, so a living owner must also answer. */
async function removeStaleLock(path: string, lock: string): Promise<void> {
  const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
  const deadline = performance.now() + STARTING_MS;
  while (isAlive(owner) && performance.now() < deadline) {
    if (await answers(path)) throw refused(`another controller (process ${owner}) listens at ${path}`);
    await sleep(50);
  }
  await rm(lock, { force: true });
}

function isAlive(pid: number): boolean {
  if (pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', settle(true)).once('error', settle(false));
  });
}

function refused(message: string): FraisierError {
  return new FraisierError('invalid_configuration', message, { hint: 'name another path with --socket' });
}
