import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FraisierError } from '../../proto/error-codes.js';
import { surroundingsOf } from './environment.js';
import type { Surroundings } from './environment.js';
import type { Exec, ExecSpec } from './exec.js';
import {
  makeMark,
  marksOf,
  putMark,
  readMark,
  recordedEnd,
  recordEnd,
  removeMarks,
  writeMark,
} from './marks.js';
import { OUTPUT_CAP_BYTES } from './output-cap.js';
import {
  groupMembers,
  isAlive,
  isReplaced,
  parseProcessLine,
  processSource,
  signalGroup,
} from './processes.js';
import type { ProcessLine, ProcessSource } from './processes.js';
import { findProgram } from './program.js';
import { searchPath } from './search-path.js';
import { untilEnded } from './until-ended.js';
import type { Looked } from './until-ended.js';
import { startWrapped } from './wrapper.js';

/** How long SIGKILL may take to show: a process in uninterruptible sleep, or another user's, must not hold us. */
const KILL_PATIENCE_MS = 4_000;
/** From one look at a running command to the next. */
const [FIRST_PAUSE_MS, MOST_PAUSE_MS] = [5, 100];

export interface ChildProcessSettings {
  readonly source?: ProcessSource;
  readonly capBytes?: number;
}

/**
 * Commands as detached process groups under a small shell that records their end in the spec's folder. They outlive the
 * agent (also SIGKILL to it) and are found again by any later agent on the same boot of the host. Limits: a command that
 * leaves its process group (a daemon) is no longer seen or stopped; an exit status of 128 + n reads as death by signal n.
 */
export function childProcessExec(settings: ChildProcessSettings = {}): Exec {
  const source = settings.source ?? processSource();
  const capBytes = settings.capBytes ?? OUTPUT_CAP_BYTES;
  const own: OwnWrappers = new Map();
  return {
    kind: 'child_process',
    start: async (spec) => remember(own, spec, await start(spec, source)),
    wait: (spec, signal) => {
      const news = (): AbortSignal | undefined => own.get(spec.id);
      // A wrapper of ours that has not ended needs no looking at: its end is told to us.
      const lookNow = async (): Promise<Looked> =>
        own.has(spec.id) ? { ended: 'running' } : look(spec, source);
      // There is only its output to be looked at, then: a flood takes longer to be one.
      const firstMs = own.has(spec.id) ? MOST_PAUSE_MS : FIRST_PAUSE_MS;
      return untilEnded(spec, signal, lookNow, { firstMs, mostMs: MOST_PAUSE_MS, capBytes, news });
    },
    look: (spec) => look(spec, source),
    stop: (spec) => stop(spec, source),
    forget: removeMarks,
  };
}

/** Wrappers that this process started and that have not ended, by the command's id; each signal aborts at the end. */
type OwnWrappers = Map<string, AbortSignal>;

/** An agent that found the command again has no such word of its end, and looks. */
function remember(own: OwnWrappers, { id }: ExecSpec, wrapper: ChildProcess | null): void {
  if (wrapper === null || wrapper.exitCode !== null || wrapper.signalCode !== null) return;
  const over = new AbortController();
  own.set(id, over.signal);
  wrapper.once('exit', () => {
    own.delete(id);
    over.abort();
  });
}

/** The wrapper; null when it could not be started, which is recorded. */
async function start(spec: ExecSpec, source: ProcessSource): Promise<ChildProcess | null> {
  const surroundings = await surroundingsOf(spec);
  if (!surroundings.usable) return notStarted(spec, surroundings.message);
  const program = await findProgram(spec.argv[0] ?? '', spec.cwd, surroundings.environment['PATH'] ?? '');
  if (!program.found) return notStarted(spec, program.message);
  putMark(marksOf(spec).begun, bootId());
  const argv = [...(await asUser(surroundings)), program.path, ...spec.argv.slice(1)];
  return startWrapped(spec, argv, surroundings.environment, source);
}

async function notStarted(spec: ExecSpec, message: string): Promise<null> {
  await recordEnd(spec, { ended: 'not_found', message });
  return null;
}

/** Becomes the user before the command is started; the wrapper itself keeps the agent's right to its folder. */
async function asUser(surroundings: Extract<Surroundings, { usable: true }>): Promise<readonly string[]> {
  if (!surroundings.asOther) return [];
  const { uid, gid } = surroundings.user;
  const setpriv = await findProgram('setpriv', '/', searchPath());
  if (!setpriv.found)
    throw new FraisierError('internal', `util-linux is needed to change the user: ${setpriv.message}`);
  return [setpriv.path, `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
}

async function look(spec: ExecSpec, source: ProcessSource): Promise<Looked> {
  const end = await recordedEnd(spec);
  if (end !== null) return end;
  const wrapper = await wrapperOf(spec);
  if (wrapper === null) return { ended: 'absent' };
  if (await isAlive(wrapper, source)) return { ended: 'running' };
  // It may have ended between the two looks; dead without a word and not by us, its result is lost.
  const killed = (await readMark(marksOf(spec).killed)) !== null;
  return (
    (await recordedEnd(spec)) ?? (killed ? { ended: 'signalled', signal: 'SIGKILL' } : { ended: 'absent' })
  );
}

/**
 * The process that leads the command's group, null when there is none that could be ours: never begun, begun in another
 * boot, or begun by an agent that died before it told the wrapper to go. That last start is declared void here, by making
 * the wrapper's mark in its place, so that `absent` stays true.
 */
async function wrapperOf(spec: ExecSpec): Promise<ProcessLine | null> {
  const begun = await readMark(marksOf(spec).begun);
  if (begun === null || begun !== bootId()) return null;
  const known = await readMark(marksOf(spec).process);
  if (known === null && makeMark(marksOf(spec).process, 'void\n')) return null;
  return parseProcessLine(known ?? (await readMark(marksOf(spec).process)) ?? '');
}

/** Also when the wrapper is dead and part of its group is left: nobody else gets the number while the group lives. */
async function stop(spec: ExecSpec, source: ProcessSource): Promise<void> {
  if ((await recordedEnd(spec)) !== null) return;
  const wrapper = await wrapperOf(spec);
  if (wrapper === null || (await isReplaced(wrapper, source))) return;
  signalGroup(wrapper.pid, 'SIGTERM');
  if (await groupGone(wrapper.pid, spec.graceMs, source)) return;
  await writeMark(marksOf(spec).killed, 'killed\n');
  signalGroup(wrapper.pid, 'SIGKILL');
  await groupGone(wrapper.pid, KILL_PATIENCE_MS, source);
}

async function groupGone(group: number, withinMs: number, source: ProcessSource): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (let pause = 5; (await groupMembers(group, source)).length > 0; pause = Math.min(pause * 2, 100)) {
    if (performance.now() >= deadline) return false;
    await sleep(Math.min(pause, deadline - performance.now()));
  }
  return true;
}

/** Changes with every start of the host; the same for ever where the kernel does not tell. */
function bootId(): string {
  const file = '/proc/sys/kernel/random/boot_id';
  return existsSync(file) ? readFileSync(file, 'utf8') : 'unknown\n';
}
