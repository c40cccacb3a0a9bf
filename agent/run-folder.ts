import { join } from 'node:path';
import { Assignment, type RunEvent } from '../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../proto/error-codes.js';
import type { Target } from '../proto/gen/fraisier/v1/plan.js';
import type { Disk } from './disk.js';
import type { ExecSpec } from './exec/exec.js';
import { openJournal, type Journal } from './journal.js';
import { Wakeup } from './wakeup.js';

/** Kept free for the last words of a run on a full disk. */
const RESERVE_BYTES = 64 * 1024;

/** So many events are repeated at most. */
const STORED_EVERY = 32;

const COMMAND_SUFFIX = '.command.json';

/** One attempt of one step. */
export interface AttemptOf {
  readonly step: string;
  readonly attempt: number;
}

/** A command that was, or was about to be, started; without its environment, which is nobody's to keep. */
export interface RecordedCommand extends AttemptOf {
  readonly number: number;
  readonly spec: ExecSpec;
}

/**
 * Everything the agent keeps of one run, in `<state>/runs/<run_id>/`: `assignment`, `journal`, `acknowledged`,
 * `<id>.command.json` per command that may still be running, `<step>.<attempt>.log`, and `done` at the very end.
 */
export class RunFolder {
  readonly path: string;
  readonly assignment: Assignment;
  /** Notified when events, acknowledgements or the state of the run change. */
  readonly changed = new Wakeup();
  readonly #disk: Disk;
  readonly #over = new AbortController();
  #journal: Journal;
  #acknowledged: number;
  #stored: number;
  #storing: Promise<void> | null = null;

  /** Use `createRunFolder` or `openRunFolder`. */
  constructor(parts: {
    disk: Disk;
    path: string;
    assignment: Assignment;
    journal: Journal;
    acknowledged: number;
  }) {
    this.#disk = parts.disk;
    this.path = parts.path;
    this.assignment = parts.assignment;
    this.#journal = parts.journal;
    this.#acknowledged = parts.acknowledged;
    this.#stored = parts.acknowledged;
  }

  get runId(): string {
    return this.assignment.runId;
  }

  /** Checked when the run was accepted. */
  get target(): Target {
    return this.assignment.target as Target;
  }

  get journal(): Journal {
    return this.#journal;
  }

  /** Aborts when the folder is closed: nothing more can be read from it. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** The controller has committed all events up to this number. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** On the disk when it resolves. */
  async append(at: Date, event: NonNullable<RunEvent['event']>): Promise<void> {
    await this.journal.append(at, event);
    this.changed.notify();
  }

  /**
   * Remembers what the controller has committed; losing it costs a repeat, so it is written now and then and at the
   * close, without a sync. A controller says at every welcome how far it has come.
   */
  acknowledge(seq: number): void {
    if (seq <= this.#acknowledged) return;
    this.#acknowledged = seq;
    this.changed.notify();
    if (seq - this.#stored >= STORED_EVERY) this.#store();
  }

  #store(): void {
    this.#storing ??= this.#storeAcknowledged().finally(() => {
      this.#storing = null;
    });
  }

  /** After a failed write: reads again what is on the disk, and goes on from there. */
  async reopenJournal(): Promise<void> {
    await this.#journal.close().catch(() => undefined);
    this.#journal = await openJournal(
      this.#disk,
      join(this.path, 'journal'),
      this.runId,
      releaseReserve(this.#disk, this.path),
    );
    this.#journal.resumeAfter(this.#acknowledged);
  }

  logPath({ step, attempt }: AttemptOf): string {
    return join(this.path, `${step}.${attempt}.log`);
  }

  /** Journals the intent to start a command. On the disk when it resolves, so that no start is ever forgotten. */
  async recordCommand({ step, attempt, number, spec }: RecordedCommand): Promise<void> {
    const kept: RecordedCommand = { step, attempt, number, spec: { ...spec, environment: {} } };
    await this.#disk.writeWhole(this.#commandPath(spec), Buffer.from(JSON.stringify(kept)));
  }

  /** Commands recorded and not forgotten, in the order of their numbers. */
  async commands(): Promise<readonly RecordedCommand[]> {
    const names = (await this.#disk.list(this.path)).filter(
      (name) => name.endsWith(COMMAND_SUFFIX) && !name.startsWith('.'),
    );
    const read = await Promise.all(names.map((name) => this.#disk.read(join(this.path, name))));
    return read
      .filter((bytes) => bytes !== null)
      .map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as RecordedCommand)
      .sort((one, other) => one.number - other.number);
  }

  async forgetCommand(spec: ExecSpec): Promise<void> {
    await this.#disk.remove(this.#commandPath(spec));
  }

  /** Leaves a tombstone: the run's id stays known, the rest is removed. */
  async finish(at: Date): Promise<void> {
    await this.#disk.remove(join(this.path, 'reserve'));
    await this.#disk.writeWhole(join(this.path, 'done'), Buffer.from(at.toISOString()));
    this.#stored = this.#acknowledged;
    await this.close();
    const rest = (await this.#disk.list(this.path)).filter((name) => name !== 'done');
    await Promise.all(rest.map((name) => this.#disk.remove(join(this.path, name))));
  }

  async close(): Promise<void> {
    this.#over.abort(new FraisierError('shutting_down', `the run ${this.runId} is closed`));
    await this.journal.close();
    this.#store();
    await this.#storing;
  }

  #commandPath(spec: ExecSpec): string {
    return join(this.path, `${spec.id}${COMMAND_SUFFIX}`);
  }

  async #storeAcknowledged(): Promise<void> {
    while (this.#stored !== this.#acknowledged) {
      this.#stored = this.#acknowledged;
      await this.#disk
        .writeLoosely(join(this.path, 'acknowledged'), Buffer.from(String(this.#stored)))
        .catch(() => undefined);
    }
  }
}

/** Stores a new assignment (synced) and opens an empty journal beside it; work may begin when it resolves. */
export async function createRunFolder(disk: Disk, path: string, assignment: Assignment): Promise<RunFolder> {
  await disk.makeFolder(path);
  await disk.writeLoosely(join(path, 'reserve'), new Uint8Array(RESERVE_BYTES));
  await disk.writeWhole(join(path, 'assignment'), Assignment.encode(assignment).finish());
  const journal = await openJournal(
    disk,
    join(path, 'journal'),
    assignment.runId,
    releaseReserve(disk, path),
  );
  return new RunFolder({ disk, path, assignment, journal, acknowledged: 0 });
}

/**
 * Opens what an earlier start of the agent left. Null: it died before the assignment was stored, so the run was never
 * begun. Throws FraisierError when the journal is damaged.
 */
export async function openRunFolder(disk: Disk, path: string): Promise<RunFolder | null> {
  const bytes = await disk.read(join(path, 'assignment'));
  if (bytes === null) return null;
  const assignment = Assignment.decode(bytes);
  const acknowledged = Number(Buffer.from((await disk.read(join(path, 'acknowledged'))) ?? []).toString());
  const journal = await openJournal(
    disk,
    join(path, 'journal'),
    assignment.runId,
    releaseReserve(disk, path),
  );
  return new RunFolder({
    disk,
    path,
    assignment,
    journal,
    acknowledged: Number.isSafeInteger(acknowledged) ? acknowledged : 0,
  });
}

function releaseReserve(disk: Disk, path: string): () => Promise<void> {
  return () => disk.remove(join(path, 'reserve'));
}
