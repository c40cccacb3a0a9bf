import { crc32 } from 'node:zlib';
import { RunEvent } from '../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../proto/error-codes.js';
import type { AppendFile, Disk } from './disk.js';

/** Length and checksum, both unsigned, little end first. */
const HEADER_BYTES = 8;
const LARGEST_RECORD_BYTES = 4 * 1024 * 1024;
/** What was written last is sent next: so many events of at most this size are kept at hand. */
const [RECENT, RECENT_BYTES] = [32, 4096];

type Happening = NonNullable<RunEvent['event']>;

interface Place {
  readonly seq: number;
  readonly offset: number;
  readonly length: number;
}

interface Waiting {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The events of one run: an append-only file of (length, crc32, RunEvent) records.
 *
 * Guarantee: when `append` resolves the event is on the disk and will be read again after any crash, as far as the
 * disk keeps what it synced. Concurrent appends share one sync. After a failed write the journal takes no more; open
 * it again to go on.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #runId: string;
  readonly #file: AppendFile;
  readonly #makeRoom: () => Promise<void>;
  readonly #synced: Place[];
  readonly #recent = new Map<number, Uint8Array>();
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #size: number;
  #lastGiven: number;
  #broken: unknown = null;
  #closed = false;

  /** Use `openJournal`. */
  constructor(parts: {
    disk: Disk;
    path: string;
    runId: string;
    file: AppendFile;
    found: { places: Place[]; end: number };
    makeRoom: () => Promise<void>;
  }) {
    this.#disk = parts.disk;
    this.#path = parts.path;
    this.#runId = parts.runId;
    this.#file = parts.file;
    this.#makeRoom = parts.makeRoom;
    this.#synced = parts.found.places;
    this.#size = parts.found.end;
    this.#lastGiven = parts.found.places.at(-1)?.seq ?? 0;
  }

  /** Number of the last event that is on the disk; 0: none. */
  get lastSeq(): number {
    return this.#synced.at(-1)?.seq ?? 0;
  }

  /** Whether a write failed. */
  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Resolves with the event's number when it is on the disk. Throws what the disk threw. */
  append(at: Date, event: Happening): Promise<number> {
    if (this.#broken !== null) return Promise.reject(this.#broken as Error);
    const seq = this.#lastGiven + 1;
    const record = frame(RunEvent.encode({ runId: this.#runId, seq, at, event }).finish());
    if (record.length > LARGEST_RECORD_BYTES)
      return Promise.reject(new Error(`an event of ${record.length} bytes is too large`));
    this.#lastGiven = seq;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ seq, record, resolve: () => resolve(seq), reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** The first event numbered above `seq`, or null. */
  async after(seq: number): Promise<RunEvent | null> {
    const place = this.#synced[firstAbove(this.#synced, seq)];
    if (place === undefined) return null;
    const recent = this.#recent.get(place.seq);
    if (recent !== undefined) return RunEvent.decode(recent);
    return RunEvent.decode(await this.#disk.readAt(this.#path, place.offset + HEADER_BYTES, place.length));
  }

  /** All events on the disk, in order. */
  async all(): Promise<readonly RunEvent[]> {
    const events: RunEvent[] = [];
    for (let next = await this.after(0); next !== null; next = await this.after(next.seq)) events.push(next);
    return events;
  }

  /** Numbering goes on after `seq` if that is larger than the journal's own: the controller has seen more than the disk kept. */
  resumeAfter(seq: number): void {
    this.#lastGiven = Math.max(this.#lastGiven, seq);
  }

  /** Waits for what is being written; takes no more afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#broken ??= new Error('the journal is closed');
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(Buffer.concat(group.map(({ record }) => record)));
      } catch (error) {
        this.#broken ??= error;
        for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error);
        break;
      }
      this.#settle(group);
    }
    this.#flushing = null;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.write(bytes);
    } catch (error) {
      await this.#file.truncate(this.#size);
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      await this.#makeRoom();
      await this.#file.write(bytes);
    }
    await this.#file.sync();
  }

  #settle(group: readonly Waiting[]): void {
    for (const { seq, record, resolve } of group) {
      this.#synced.push({ seq, offset: this.#size, length: record.length - HEADER_BYTES });
      this.#size += record.length;
      this.#keepAtHand(seq, record.subarray(HEADER_BYTES));
      resolve();
    }
  }

  #keepAtHand(seq: number, payload: Uint8Array): void {
    if (payload.length <= RECENT_BYTES) this.#recent.set(seq, payload);
    for (const oldest of [...this.#recent.keys()].slice(0, -RECENT)) this.#recent.delete(oldest);
  }
}

/**
 * Opens a run's journal, making it when there is none, and cuts off a last record that was not written whole.
 * `makeRoom` is called once per write that finds the disk full, before the write is tried again.
 * Throws FraisierError `internal` when a record in the middle is damaged: what follows it cannot be trusted.
 */
export async function openJournal(
  disk: Disk,
  path: string,
  runId: string,
  makeRoom: () => Promise<void>,
): Promise<Journal> {
  const bytes = (await disk.read(path)) ?? new Uint8Array();
  const found = readRecords(bytes, path);
  const file = await disk.openForAppend(path);
  if (found.end < bytes.length) {
    await file.truncate(found.end);
    await file.sync();
  }
  return new Journal({ disk, path, runId, file, found, makeRoom });
}

function frame(payload: Uint8Array): Uint8Array {
  const record = Buffer.alloc(HEADER_BYTES + payload.length);
  record.writeUInt32LE(payload.length, 0);
  record.writeUInt32LE(crc32(payload), 4);
  record.set(payload, HEADER_BYTES);
  return record;
}

function readRecords(bytes: Uint8Array, path: string): { places: Place[]; end: number } {
  const places: Place[] = [];
  let end = 0;
  for (let payload = recordAt(bytes, end); payload !== null; payload = recordAt(bytes, end)) {
    const { seq } = RunEvent.decode(payload);
    if (seq <= (places.at(-1)?.seq ?? 0)) throw damaged(path, end);
    places.push({ seq, offset: end, length: payload.length });
    end += HEADER_BYTES + payload.length;
  }
  for (let later = end + 1; later < bytes.length; later += 1) {
    if (recordAt(bytes, later) !== null) throw damaged(path, end);
  }
  return { places, end };
}

/** The payload of a whole record at `offset`, or null when there is none. */
function recordAt(bytes: Uint8Array, offset: number): Uint8Array | null {
  if (offset + HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const length = view.getUint32(0, true);
  if (length === 0 || length > LARGEST_RECORD_BYTES || offset + HEADER_BYTES + length > bytes.length)
    return null;
  const payload = bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length);
  return crc32(payload) === view.getUint32(4, true) ? payload : null;
}

function firstAbove(places: readonly Place[], seq: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] as Place).seq > seq) high = middle;
    else low = middle + 1;
  }
  return low;
}

function damaged(path: string, offset: number): FraisierError {
  return new FraisierError(
    'internal',
    `${path} is damaged at byte ${offset} and goes on after it: the disk changed what was written`,
    {
      hint: 'the run is reported as forgotten; keep the file if you want to find out why',
      facts: { file: path, offset: String(offset) },
    },
  );
}
