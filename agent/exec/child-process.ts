import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { link, open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { surroundingsOf } from './environment.js';
import type { Surroundings } from './environment.js';
import type { Exec, ExecEnd, ExecSpec } from './exec.js';
import { isCode, marksOf, readMark, recordedEnd, recordEnd, removeMarks, writeMark } from './marks.js';
import { capOutput, closeOutput, OUTPUT_CAP_BYTES } from './output-cap.js';
import {
  groupMembers,
  isAlive,
  isReplaced,
  parseProcessLine,
  processSource,
  SHELL_OWN_LINE,
  signalGroup,
} from './processes.js';
import type { ProcessLine, ProcessSource } from './processes.js';
import { findProgram } from './program.js';

/**
 * Around every command, as leader of its group, so that a result outlives the agent that asked for it:
 * 1. claims the start (`ln` makes the name only if it is not there; an agent that gave up on us made it first),
 * 2. outlives SIGTERM, with a handler rather than by ignoring it, which the command would inherit,
 * 3. writes the exit status over the room made for it, syncs, and renames.
 */
const WRAPPER = `
marks=$1
shift
${SHELL_OWN_LINE}
printf '%s\\n' "$line" 1<>"$marks.process.room"
ln "$marks.process.room" "$marks.process" 2>/dev/null || exit 0
trap : TERM INT HUP
"$@"
printf 'exited %s\\n' "$?" 1<>"$marks.end.room"
sync "$marks.end.room" 2>/dev/null
mv "$marks.end.room" "$marks.end"
`;

/** Blocks taken beforehand, so that a disk filled by the command cannot swallow its result. */
const ROOM = `${' '.repeat(511)}\n`;
/** How long SIGKILL may take to show: a process in uninterruptible sleep, or another user's, must not hold us. */
const KILL_PATIENCE_MS = 4_000;

export interface ChildProcessSettings {
  readonly source?: ProcessSource;
  readonly capBytes?: number;
}

type Looked = ExecEnd | { readonly ended: 'running' };

/**
 * Commands as detached process groups under a small shell that records their end in the spec's folder. They outlive the
 * agent (also SIGKILL to it) and are found again by any later agent on the same boot of the host. Limits: a command that
 * leaves its process group (a daemon) is no longer seen or stopped; an exit status of 128 + n reads as death by signal n.
 */
export function childProcessExec(settings: ChildProcessSettings = {}): Exec {
  const source = settings.source ?? processSource();
  const capBytes = settings.capBytes ?? OUTPUT_CAP_BYTES;
  return {
    kind: 'child_process',
    start: (spec) => start(spec),
    wait: (spec, signal) => wait(spec, signal, () => look(spec, source), capBytes),
    look: (spec) => look(spec, source),
    stop: (spec) => stop(spec, source),
    forget: removeMarks,
  };
}

async function start(spec: ExecSpec): Promise<void> {
  const surroundings = await surroundingsOf(spec);
  if (!surroundings.usable) return recordEnd(spec, { ended: 'not_found', message: surroundings.message });
  const program = await findProgram(spec.argv[0] ?? '', spec.cwd, surroundings.environment['PATH'] ?? '');
  if (!program.found) return recordEnd(spec, { ended: 'not_found', message: program.message });
  await writeMark(marksOf(spec).endRoom, ROOM);
  await writeMark(marksOf(spec).processRoom, ROOM);
  await writeMark(marksOf(spec).begun, await bootId());
  const argv = [...asUser(surroundings), program.path, ...spec.argv.slice(1)];
  const wrapper = await spawnDetached(spec, argv, surroundings.environment);
  if (typeof wrapper === 'string') return recordEnd(spec, { ended: 'not_found', message: wrapper });
  await claimed(spec, wrapper);
}

/** Becomes the user before the command is started; the wrapper itself keeps the agent's right to its folder. */
function asUser(surroundings: Extract<Surroundings, { usable: true }>): readonly string[] {
  if (!surroundings.asOther) return [];
  const { uid, gid } = surroundings.user;
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
}

/** The wrapper, or why it could not be started. */
async function spawnDetached(
  spec: ExecSpec,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ChildProcess | string> {
  const output = await open(spec.outputFile, 'a', 0o600);
  const captured = spec.captureFile === null ? null : await open(spec.captureFile, 'a', 0o600);
  const options: SpawnOptions = {
    cwd: spec.cwd,
    env: environment,
    detached: true,
    stdio: ['ignore', (captured ?? output).fd, output.fd],
  };
  try {
    return await spawned(['/bin/sh', '-c', WRAPPER, 'fraisier', marksBase(spec), ...argv], options);
  } finally {
    await output.close();
    await captured?.close();
  }
}

/** What the wrapper appends `.process` and `.end` to. */
function marksBase(spec: ExecSpec): string {
  return marksOf(spec).end.slice(0, -'.end'.length);
}

async function spawned(argv: readonly string[], options: SpawnOptions): Promise<ChildProcess | string> {
  const [shell = '', ...rest] = argv;
  return new Promise((done) => {
    try {
      const child = spawn(shell, rest, options);
      child.once('error', (error) => done(`it could not be started: ${error.message}`));
      child.once('spawn', () => {
        child.unref();
        done(child);
      });
    } catch (error) {
      // Thrown at once for what no process can be given, such as a NUL byte.
      done(`it could not be started: ${String(error)}`);
    }
  });
}

/** Waits for the wrapper's first act, its mark. */
async function claimed(spec: ExecSpec, wrapper: ChildProcess): Promise<void> {
  for (let pause = 1; (await readMark(marksOf(spec).process)) === null; pause = Math.min(pause * 2, 50)) {
    if (wrapper.exitCode === null && wrapper.signalCode === null) await sleep(pause);
    else
      return recordEnd(spec, {
        ended: 'not_found',
        message: 'it could not be started: the shell around it ended',
      });
  }
}

async function wait(
  spec: ExecSpec,
  signal: AbortSignal,
  lookNow: () => Promise<Looked>,
  capBytes: number,
): Promise<ExecEnd> {
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    signal.throwIfAborted();
    const looked = await lookNow();
    if (looked.ended !== 'running') {
      await closeOutput(spec, capBytes);
      return looked;
    }
    await capOutput(spec, capBytes);
    await sleep(pause);
  }
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
 * boot, or begun by an agent that died before the wrapper came up. That last start is declared void here, by making the
 * wrapper's own mark first, so that `absent` stays true.
 */
async function wrapperOf(spec: ExecSpec): Promise<ProcessLine | null> {
  const begun = await readMark(marksOf(spec).begun);
  if (begun === null || begun !== (await bootId())) return null;
  if (await declareVoid(spec)) return null;
  return parseProcessLine((await readMark(marksOf(spec).process)) ?? '');
}

/** False when the wrapper was there first. */
async function declareVoid(spec: ExecSpec): Promise<boolean> {
  const marks = marksOf(spec);
  if ((await readMark(marks.process)) !== null) return false;
  await writeMark(marks.void, 'void\n');
  try {
    await link(marks.void, marks.process);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
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
async function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown\n');
}
