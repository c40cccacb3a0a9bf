import { constants } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The disk as journal, runs and identity use it. Every path is absolute. What is absent reads as null, empty or 0;
 * everything else that goes wrong throws the error of `node:fs` with its `code`.
 */
export interface Disk {
  /** With its parents, readable by the owner only. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, sorted. */
  list(path: string): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array | null>;
  /** Up to `length` bytes from `offset`, fewer at the end of the file. */
  readAt(path: string, offset: number, length: number): Promise<Buffer>;
  size(path: string): Promise<number>;
  /** The file is there whole or as it was before, also after a power cut; mode 0600 unless told otherwise. */
  writeWhole(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  /** May be lost or torn by a power cut: for what can be had again. */
  writeLoosely(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds to the end of a file, atomically among writers; not synced. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Returns when all that anybody wrote to the file is on the disk. */
  sync(path: string): Promise<void>;
  openForAppend(path: string): Promise<AppendFile>;
  /** A file, or a folder with all it holds; nothing happens when there is none. */
  remove(path: string): Promise<void>;
}

export interface AppendFile {
  write(bytes: Uint8Array): Promise<void>;
  /** fdatasync. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The machine's own disk. */
export const systemDisk: Disk = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await sync(dirname(path));
  },
  list: async (path) => (await unlessAbsent(readdir(path), [])).sort(),
  read: (path) => unlessAbsent<Uint8Array | null>(readFile(path), null),
  readAt,
  size: (path) =>
    unlessAbsent(
      stat(path).then((found) => found.size),
      0,
    ),
  writeWhole,
  writeLoosely: (path, bytes) => writeFile(path, bytes, { mode: 0o600 }),
  append: (path, bytes) => appendFile(path, bytes, { mode: 0o600 }),
  sync,
  openForAppend,
  remove: (path) => rm(path, { recursive: true, force: true }),
};

async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await unlessAbsent(open(path, 'r'), null);
  if (file === null) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function writeWhole(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const beside = join(dirname(path), `.${Buffer.from(path).toString('base64url').slice(-24)}.new`);
  const file = await open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode);
  try {
    await file.chmod(mode);
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const file = await unlessAbsent(open(path, 'r'), null);
  if (file === null) return;
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function openForAppend(path: string): Promise<AppendFile> {
  const file = await open(path, 'a', 0o600);
  await sync(dirname(path));
  return {
    write: (bytes) => file.appendFile(bytes),
    sync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}

async function unlessAbsent<T>(work: Promise<T>, absent: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return absent;
    throw error;
  }
}
