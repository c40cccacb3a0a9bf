import {
  appendFileSync,
  closeSync,
  constants,
  fchmodSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const [flush, flushData] = [promisify(fsync), promisify(fdatasync)];

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

/**
 * The machine's own disk. Only what waits for the disk is handed to a thread: to hand over what the kernel's cache answers
 * costs ten times as much as to ask it, and a run asks hundreds of times.
 */
export const systemDisk: Disk = {
  makeFolder: async (path) => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    await sync(dirname(path));
  },
  list: async (path) => unlessAbsent(() => readdirSync(path), []).sort(),
  read: async (path) => unlessAbsent<Uint8Array | null>(() => readFileSync(path), null),
  readAt: async (path, offset, length) => readAt(path, offset, length),
  size: async (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
  writeWhole,
  writeLoosely: async (path, bytes) => writeFileSync(path, bytes, { mode: 0o600 }),
  append: async (path, bytes) => appendFileSync(path, bytes, { mode: 0o600 }),
  sync,
  openForAppend,
  remove: async (path) => {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) unlinkSync(path);
    else rmSync(path, { recursive: true, force: true });
  },
};

/** No more room is taken than there is to read. */
function readAt(path: string, offset: number, length: number): Buffer {
  const file = unlessAbsent(() => openSync(path, 'r'), null);
  if (file === null) return Buffer.alloc(0);
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, fstatSync(file).size - offset)));
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset));
  } finally {
    closeSync(file);
  }
}

async function writeWhole(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const beside = join(dirname(path), `.${Buffer.from(path).toString('base64url').slice(-24)}.new`);
  const file = openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode);
  try {
    fchmodSync(file, mode);
    writeFileSync(file, bytes);
    await flush(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const file = unlessAbsent(() => openSync(path, 'r'), null);
  if (file === null) return;
  try {
    await flush(file);
  } finally {
    closeSync(file);
  }
}

async function openForAppend(path: string): Promise<AppendFile> {
  let file = openSync(path, 'a', 0o600);
  await sync(dirname(path));
  return {
    write: async (bytes) => writeFileSync(file, bytes),
    sync: () => flushData(file),
    truncate: async (length) => ftruncateSync(file, length),
    close: async () => {
      const closed = file;
      // The number is another file's soon: whoever uses it after this is told so.
      file = -1;
      if (closed !== -1) closeSync(closed);
    },
  };
}

function unlessAbsent<T>(look: () => T, absent: T): T {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return absent;
    throw error;
  }
}
