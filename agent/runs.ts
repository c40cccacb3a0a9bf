import { join } from 'node:path';
import type { Assignment, ResumeRun } from '../proto/gen/fraisier/v1/agent.js';
import { Phase, type Reason } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import { unlessAborted } from './aborting.js';
import { createRunFolder, openRunFolder, type RunFolder } from './run-folder.js';
import type { RunPorts } from './run-ports.js';
import { executeRun } from './run.js';
import { serialKeys } from './serial-keys.js';
import { pruneTombstones } from './tombstones.js';
import { traceOf } from './trace.js';
import { Turns } from './turns.js';
import { Wakeup } from './wakeup.js';

/** After something of the agent itself broke in a run, it is taken up again as after a restart. */
const BROKEN_PAUSE_MS = 30_000;
/** A run the record gave up is reported this many times before it is forgotten unacknowledged. */
const LATE_REPORTS = 3;
const BURIED_PER_PRUNE = 25;
/** Kept free, but while something is taken back: what filled the disk may be the reason. */
const RESERVE_BYTES = 1024 * 1024;
const WAYS_BACK: readonly Phase[] = [Phase.UNDO, Phase.MIGRATE_DOWN];

/** A run the agent has and whose end is not acknowledged. */
export interface KnownRun {
  readonly folder: RunFolder;
  readonly cancel: AbortController;
  /** Whether its RunFinished is in the journal. */
  finished: boolean;
  /** Connections on which the record said that it is over. */
  abandonments: number;
}

/**
 * The agent's runs: accepted once, worked off (those that share a fraise, a path or a unit one after the other), kept
 * until acknowledged. Guarantee: a run id is worked off at most once for as long as it is known; see `pruneTombstones`.
 */
export class Runs {
  /** Notified when a run has come or gone. */
  readonly changed = new Wakeup();
  readonly #ports: RunPorts;
  readonly #folder: string;
  readonly #reserve: string;
  readonly #known = new Map<string, KnownRun>();
  readonly #over = new Set<string>();
  readonly #turns = new Turns();
  readonly #leave = new AbortController();
  readonly #working = new Set<Promise<void>>();
  #buried = 0;

  constructor(ports: RunPorts) {
    this.#ports = ports;
    this.#folder = join(ports.stateFolder, 'runs');
    this.#reserve = join(ports.stateFolder, 'reserve');
  }

  /** Reads what earlier starts of the agent left, and takes it up. */
  async open(): Promise<void> {
    const { disk, clock } = this.#ports;
    await disk.makeFolder(this.#folder);
    for (const runId of await pruneTombstones(disk, this.#folder, clock.now())) this.#over.add(runId);
    const left: { folder: RunFolder; started: boolean }[] = [];
    for (const name of await disk.list(this.#folder)) {
      const folder = await this.#openLeft(name);
      if (folder !== null) left.push({ folder, started: folder.journal.lastSeq > 0 });
    }
    const inOrder = [...left.filter(({ started }) => started), ...left.filter(({ started }) => !started)];
    await this.#keepReserve(inOrder);
    for (const { folder } of inOrder) this.#begin(folder);
  }

  /** Those whose end is not acknowledged. */
  unfinished(): readonly KnownRun[] {
    return [...this.#known.values()];
  }

  get(runId: string): KnownRun | undefined {
    return this.#known.get(runId);
  }

  /**
   * Takes a run on: it is on the disk when this resolves, and worked on from then. One that is known already is left
   * alone. Throws FraisierError `protocol_violation` for names that cannot be files, and what the disk throws.
   */
  async accept(assignment: Assignment): Promise<void> {
    refuseBadNames(assignment);
    if (this.#known.has(assignment.runId) || this.#over.has(assignment.runId)) return;
    // Not only for want of it: what a finished run leaves is room for the folder, and not for the work.
    if (isWayBack(assignment)) await this.#ports.disk.remove(this.#reserve);
    this.#begin(await this.#makeFolder(assignment));
  }

  async #makeFolder(assignment: Assignment): Promise<RunFolder> {
    const { disk } = this.#ports;
    const path = join(this.#folder, assignment.runId);
    try {
      return await createRunFolder(disk, path, assignment);
    } catch (error) {
      // Half of it must not be taken for a run at the next start; what cannot be removed has no assignment.
      await disk.remove(path).catch((err: unknown) => {
        this.#ports.logger.warn({ err, run: assignment.runId }, 'what was begun of a run cannot be removed');
      });
      throw error;
    }
  }

  /** Room is taken while there is some; a disk that is full now gives none, which a way back would notice too late. */
  async #keepReserve(beside: readonly Pick<KnownRun, 'folder'>[]): Promise<void> {
    const { disk } = this.#ports;
    if (beside.some(({ folder }) => isWayBack(folder.assignment))) return;
    if ((await disk.size(this.#reserve)) === RESERVE_BYTES) return;
    await disk.writeLoosely(this.#reserve, new Uint8Array(RESERVE_BYTES)).catch((err: unknown) => {
      this.#ports.logger.warn({ err, file: this.#reserve }, 'no room can be kept free for a way back');
    });
  }

  /** Stops a run, if it is known and not over; its end is reported as events. */
  cancel(runId: string, why: Reason): void {
    this.#known.get(runId)?.cancel.abort(why);
  }

  /** Takes in what the controller says it has of a run. */
  async resume(resume: ResumeRun): Promise<void> {
    const run = this.#known.get(resume.runId);
    if (run === undefined) return;
    run.folder.journal.resumeAfter(resume.seq);
    if (resume.abandoned) {
      run.abandonments += 1;
      this.cancel(
        resume.runId,
        reason(
          'cancelled',
          'the controller has given this run up: the agent was away for too long, or the run is unknown there',
        ),
      );
    }
    await this.acknowledge(resume.runId, resume.seq);
  }

  /** All events up to `seq` are committed. A run that is over and acknowledged becomes a tombstone. */
  async acknowledge(runId: string, seq: number): Promise<void> {
    const run = this.#known.get(runId);
    if (run === undefined) return;
    run.folder.acknowledge(seq);
    const heard = run.folder.acknowledged >= run.folder.journal.lastSeq;
    if (run.finished && (heard || run.abandonments > LATE_REPORTS)) await this.#bury(run);
  }

  /** Stops looking. What runs goes on by itself, for the next start of the agent to find. */
  async leave(): Promise<void> {
    this.#leave.abort(new FraisierError('shutting_down', 'the agent is being stopped'));
    await Promise.all(this.#working);
    await Promise.all([...this.#known.values()].map(({ folder }) => folder.close()));
  }

  async #openLeft(name: string): Promise<RunFolder | null> {
    const path = join(this.#folder, name);
    if (this.#over.has(name)) return null;
    try {
      const found = await openRunFolder(this.#ports.disk, path);
      if (found === null) await this.#ports.disk.remove(path);
      return found;
    } catch (error) {
      if (!(error instanceof FraisierError)) throw error;
      this.#over.add(name);
      this.#ports.logger.error({ err: error, run: name }, 'run cannot be read and is given up');
      return null;
    }
  }

  #begin(folder: RunFolder): void {
    const run: KnownRun = { folder, cancel: new AbortController(), finished: false, abandonments: 0 };
    this.#known.set(folder.runId, run);
    const working = this.#work(run).finally(() => this.#working.delete(working));
    this.#working.add(working);
    this.changed.notify();
  }

  async #work(run: KnownRun): Promise<void> {
    const turn = this.#turns.take(serialKeys(run.folder.assignment));
    try {
      await unlessAborted(turn.come, [run.cancel.signal, this.#leave.signal]);
      while (!this.#leave.signal.aborted && !run.finished) await this.#workOnce(run);
    } finally {
      turn.over();
    }
  }

  async #workOnce(run: KnownRun): Promise<void> {
    const leave = this.#leave.signal;
    try {
      if (run.folder.journal.broken) await run.folder.reopenJournal();
      await executeRun(this.#ports, { folder: run.folder, cancelled: run.cancel.signal, leave });
      run.finished = traceOf(await run.folder.journal.all()).finished !== null;
      run.folder.changed.notify();
      await this.acknowledge(run.folder.runId, 0);
    } catch (error) {
      if (leave.aborted) return;
      this.#ports.logger.error({ err: error, run: run.folder.runId }, 'run broke and is taken up again soon');
      await this.#ports.clock.sleep(BROKEN_PAUSE_MS, leave).catch(() => undefined);
    }
  }

  async #bury(run: KnownRun): Promise<void> {
    this.#known.delete(run.folder.runId);
    this.#over.add(run.folder.runId);
    await run.folder.finish(this.#ports.clock.now());
    this.changed.notify();
    await this.#keepReserve(this.unfinished());
    await this.#pruneNowAndThen();
  }

  /** All tombstones are read for it, and the controller's next message waits. */
  async #pruneNowAndThen(): Promise<void> {
    this.#buried += 1;
    if (this.#buried % BURIED_PER_PRUNE !== 0) return;
    await pruneTombstones(this.#ports.disk, this.#folder, this.#ports.clock.now());
  }
}

function isWayBack({ phase }: Assignment): boolean {
  return WAYS_BACK.includes(phase);
}

function refuseBadNames({ runId, steps, target }: Assignment): void {
  const bad = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(runId)
    ? steps.find(({ name }) => !/^[a-z0-9_]{1,64}$/.test(name))?.name
    : runId;
  if (bad !== undefined)
    throw new FraisierError(
      'protocol_violation',
      `${JSON.stringify(bad)} cannot be the name of a run or a step`,
    );
  if (target === undefined)
    throw new FraisierError('protocol_violation', `the assignment of run ${runId} names no target`);
  if (new Set(steps.map(({ name }) => name)).size < steps.length)
    throw new FraisierError('protocol_violation', `two steps of run ${runId} have one name`);
}
