import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FraisierError } from '../../../proto/error-codes.js';

/**
 * Takes the folder for this process until the returned function is called or the process is gone, however it went.
 * `database_away`, naming the holder, when another process of this machine has it.
 *
 * On Linux the lock is a socket of the abstract name space, which the kernel frees with its process. Elsewhere it is a
 * socket file, and two processes that find the same dead one in the same millisecond may both get it; PostgreSQL's own
 * lock on its data still stands behind.
 */
export async function lockFolder(
  folder: string,
  { platform = process.platform, socketFolder = tmpdir() } = {},
): Promise<() => Promise<void>> {
  const name = await lockName(folder);
  const file = join(socketFolder, `fraisier-${name.slice(0, 16)}.lock`);
  const address = platform === 'linux' ? `\0fraisier-${name}` : file;
  const server = await listenAlone(address, folder);
  return async () => {
    server.close();
    await once(server, 'close');
  };
}

/** Unguessable by other users of the machine, the same for every process that can read the folder. */
async function lockName(folder: string): Promise<string> {
  const file = join(folder, 'lock-name');
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, randomBytes(16).toString('hex'), { mode: 0o600 });
  // Whoever was faster has linked its own; any other failure shows when it is read.
  await link(draft, file).catch(() => undefined);
  await rm(draft);
  const secret = await readFile(file, 'utf8');
  return createHash('sha256').update(`${folder}\0${secret}`).digest('hex').slice(0, 40);
}

async function listenAlone(address: string, folder: string): Promise<Server> {
  let server = await tryListen(address);
  while (server === null) {
    const holder = await askHolder(address);
    if (holder !== null) throw inUse(folder, holder);
    if (!address.startsWith('\0')) await rm(address, { force: true });
    server = await tryListen(address);
  }
  return server;
}

function inUse(folder: string, holder: string): FraisierError {
  return new FraisierError('database_away', `the embedded database in ${folder} is in use by ${holder}`, {
    hint: 'stop the other controller, give this one its own --state, or run both on one server with DATABASE_URL',
  });
}

/** Null when the address is taken. */
async function tryListen(address: string): Promise<Server | null> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`process ${process.pid}`);
  });
  server.unref();
  try {
    server.listen(address);
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}

/** What the holder says of itself, or null when nobody listens any more. A holder too busy to answer is one. */
async function askHolder(address: string): Promise<string | null> {
  const socket = connect(address);
  socket.setTimeout(1000, () => socket.destroy());
  let text = '';
  try {
    for await (const chunk of socket) text += String(chunk);
  } catch (error) {
    if (['ECONNREFUSED', 'ENOENT'].includes(String((error as NodeJS.ErrnoException).code))) return null;
  }
  return text === '' ? 'another process' : text;
}
