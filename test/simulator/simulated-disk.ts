import { dirname } from 'node:path';
import type { AppendFile, Disk } from '../../agent/disk.js';
import type { Life } from './life.js';
import { Outage } from './outage.js';
import type { Random } from './random.js';

interface File {
  content: Buffer;
  /** What a power cut leaves of it. */
  durable: Buffer;
}

/** A name that came or went and is not durable yet. */
interface Renaming {
  readonly path: string;
  readonly file: File | null;
}

const FOLDER: File = { content: Buffer.alloc(0), durable: Buffer.alloc(0) };
const NOTHING = Buffer.alloc(0);

/**
 * The disk of one host, as a kernel keeps it: what was written is there for every process at once, and survives a power cut
 * only when it was synced. Of the rest a power cut leaves a part: of the names of each folder those that changed first, of the
 * bytes of each file the first.
 */
export class SimulatedDisk {
  readonly #random: Random;
  #names = new Map<string, File>();
  #durableNames = new Map<string, File>();
  #renamings: Renaming[] = [];
  /** How long a write or a sync takes, in ms. */
  slowness = { least: 0, most: 25 };
  full = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The disk as one process sees it. */
  seenBy(life: Life): Disk {
    const takes = (): number => this.#random.whole(this.slowness.least, this.slowness.most);
    const work = <T>(act: () => T): Promise<T> => life.work(takes(), act);
    const write = <T>(act: () => T): Promise<T> =>
      work(() => {
        if (this.full) throw new Outage('no space left on device', 'ENOSPC');
        return act();
      });
    return {
      makeFolder: (path) => write(() => this.#makeFolder(path)),
      list: (path) => life.now(this.#list(path)),
      read: (path) => life.now(this.#read(path)),
      readAt: (path, offset, length) => life.now(this.#bytes(path).subarray(offset, offset + length)),
      size: (path) => life.now(this.#bytes(path).length),
      writeWhole: (path, bytes) => write(() => this.#writeWhole(path, Buffer.from(bytes))),
      writeLoosely: (path, bytes) => write(() => this.#writeLoosely(path, Buffer.from(bytes))),
      append: (path, bytes) => write(() => this.appendAtOnce(path, Buffer.from(bytes))),
      sync: (path) => this.#syncing(path, work),
      openForAppend: (path) => write(() => this.#open(path, work, write)),
      remove: (path) => work(() => this.#remove(path)),
    };
  }

  /** As a process that is not the agent writes its output. */
  appendAtOnce(path: string, bytes: Buffer): void {
    const file = this.#names.get(path) ?? this.#create(path);
    file.content = Buffer.concat([file.content, bytes]);
  }

  sizeNow(path: string): number {
    return this.#bytes(path).length;
  }

  /** What is left when the power comes back. */
  powerCut(): void {
    const kept = new Map(this.#durableNames);
    for (const folder of new Set(this.#renamings.map(({ path }) => dirname(path)))) {
      const mine = this.#renamings.filter(({ path }) => dirname(path) === folder);
      for (const { path, file } of mine.slice(0, this.#random.whole(0, mine.length))) {
        if (file === null) kept.delete(path);
        else kept.set(path, file);
      }
    }
    for (const path of kept.keys()) if (!hasFolder(kept, path)) kept.delete(path);
    for (const file of new Set(kept.values())) if (file !== FOLDER) this.#cutDown(file);
    this.#names = kept;
    this.#durableNames = new Map(kept);
    this.#renamings = [];
  }

  #cutDown(file: File): void {
    const { content, durable } = file;
    const grew = content.length >= durable.length && content.subarray(0, durable.length).equals(durable);
    if (grew) file.content = content.subarray(0, this.#random.whole(durable.length, content.length));
    else
      file.content = this.#random.chance(0.5)
        ? durable
        : content.subarray(0, this.#random.whole(0, content.length));
    file.durable = file.content;
  }

  #bytes(path: string): Buffer {
    return this.#names.get(path)?.content ?? NOTHING;
  }

  #read(path: string): Uint8Array | null {
    return this.#names.get(path)?.content ?? null;
  }

  #list(folder: string): readonly string[] {
    const names: string[] = [];
    for (const path of this.#names.keys())
      if (dirname(path) === folder) names.push(path.slice(folder.length + 1));
    return names.sort();
  }

  #rename(path: string, file: File | null): void {
    if (file === null) this.#names.delete(path);
    else this.#names.set(path, file);
    this.#renamings.push({ path, file });
  }

  #create(path: string): File {
    const file: File = { content: NOTHING, durable: NOTHING };
    this.#rename(path, file);
    return file;
  }

  #makeFolder(path: string): void {
    if (this.#names.has(path) || path === '/') return;
    this.#makeFolder(dirname(path));
    this.#rename(path, FOLDER);
    this.#syncFolder(dirname(path));
  }

  #syncFolder(folder: string): void {
    this.#renamings = this.#renamings.filter(({ path, file }) => {
      if (dirname(path) !== folder) return true;
      if (file === null) this.#durableNames.delete(path);
      else this.#durableNames.set(path, file);
      return false;
    });
  }

  #writeWhole(path: string, bytes: Buffer): void {
    this.#rename(path, { content: bytes, durable: bytes });
    this.#syncFolder(dirname(path));
  }

  #writeLoosely(path: string, bytes: Buffer): void {
    const file = this.#names.get(path) ?? this.#create(path);
    file.content = bytes;
  }

  /** What is written while it goes on may be left out. */
  async #syncing(path: string, work: <T>(act: () => T) => Promise<T>): Promise<void> {
    const file = this.#names.get(path);
    if (file === undefined) return;
    const upTo = file.content;
    await work(() => this.#makeDurable(path, file, upTo));
  }

  /** Every file system in use keeps the name of a file that was synced. */
  #makeDurable(path: string, file: File, upTo: Buffer): void {
    file.durable = upTo;
    if (this.#names.get(path) === file) this.#durableNames.set(path, file);
  }

  #open(
    path: string,
    work: <T>(act: () => T) => Promise<T>,
    write: <T>(act: () => T) => Promise<T>,
  ): AppendFile {
    const file = this.#names.get(path) ?? this.#create(path);
    this.#syncFolder(dirname(path));
    return {
      write: (bytes) =>
        write(() => {
          file.content = Buffer.concat([file.content, bytes]);
        }),
      sync: async () => {
        const upTo = file.content;
        await work(() => this.#makeDurable(path, file, upTo));
      },
      truncate: (length) =>
        work(() => {
          file.content = file.content.subarray(0, length);
        }),
      close: () => work(() => undefined),
    };
  }

  #remove(path: string): void {
    const below = [...this.#names.keys()].filter((one) => one === path || one.startsWith(`${path}/`));
    for (const one of below.toReversed()) this.#rename(one, null);
  }
}

function hasFolder(names: ReadonlyMap<string, File>, path: string): boolean {
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
    if (names.get(folder) !== FOLDER) return false;
  }
  return true;
}
