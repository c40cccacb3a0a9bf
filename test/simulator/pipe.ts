import type { Schedule } from './schedule.js';

/** What a pipe knows of the line it lies in. */
export interface Line {
  readonly schedule: Schedule;
  readonly delay: () => number;
  readonly isCut: () => boolean;
}

/** How messages of one direction are written down on the wire. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** Sent and not taken yet: more waits at the sender. */
const WINDOW = 16;

type Parcel = { readonly bytes: Uint8Array } | 'end' | 'break';

/**
 * One direction of a connection: everything arrives once and in order, late, and not while the line is cut or the other side
 * does not read. The end of the sender arrives behind what it sent.
 */
export class Pipe<T> {
  readonly #line: Line;
  readonly #codec: Codec<T>;
  #parcels: Parcel[] = [];
  #moving = false;
  #paused = false;
  #closed = false;
  take: (message: T) => void = () => undefined;
  ended: () => void = () => undefined;
  broken: () => void = () => undefined;
  /** There is room again. */
  drained: () => void = () => undefined;

  constructor(line: Line, codec: Codec<T>) {
    this.#line = line;
    this.#codec = codec;
  }

  get full(): boolean {
    return this.#parcels.length >= WINDOW;
  }

  /** False when more should wait for `drained`. */
  put(message: T): boolean {
    if (this.#closed) return true;
    this.#add({ bytes: this.#codec.encode(message).finish() });
    return !this.full;
  }

  end(): void {
    if (!this.#closed) this.#add('end');
    this.#closed = true;
  }

  /** The sender is gone; of what it sent the first so many may still arrive. */
  breakOff(arriving: (sent: number) => number = (sent) => sent): void {
    if (!this.#closed) this.#parcels = this.#parcels.slice(0, arriving(this.#parcels.length));
    if (!this.#closed) this.#add('break');
    this.#closed = true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.goOn();
  }

  goOn(): void {
    if (this.#moving || this.#paused || this.#parcels.length === 0 || this.#line.isCut()) return;
    this.#moving = true;
    this.#line.schedule.after(this.#line.delay(), () => {
      this.#moving = false;
      if (!this.#paused && !this.#line.isCut()) this.#deliver();
      this.goOn();
    });
  }

  #add(parcel: Parcel): void {
    this.#parcels.push(parcel);
    this.goOn();
  }

  #deliver(): void {
    const wasFull = this.full;
    const parcel = this.#parcels.shift();
    if (parcel === 'end') this.ended();
    else if (parcel === 'break') this.broken();
    else if (parcel !== undefined) this.take(this.#codec.decode(parcel.bytes));
    if (wasFull && !this.full) this.drained();
  }
}
