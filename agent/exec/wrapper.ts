import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecSpec } from './exec.js';
import { marksOf, readMark, recordEnd } from './marks.js';
import { shellOwnLine } from './processes.js';
import { searchPath } from './search-path.js';

/**
 * Around every command, as leader of its group, so that a result outlives the agent that asked for it:
 * 1. claims the start (`ln` makes the name only if it is not there; an agent that gave up on us made it first), and says so
 *    by closing its end of a pipe,
 * 2. outlives SIGTERM, with a handler rather than by ignoring it, which the command would inherit,
 * 3. writes the exit status over the room made for it, syncs, and renames.
 * It has the command's environment, in which its own few names must not matter, and finds its own tools without it.
 */
const WRAPPER = `
_fraisier_marks=$1
_fraisier_path=$PATH
PATH=${searchPath()}
shift
${shellOwnLine('_fraisier_line')}
printf '%s\\n' "$_fraisier_line" 1<>"$_fraisier_marks.process.room"
ln "$_fraisier_marks.process.room" "$_fraisier_marks.process" 2>/dev/null || exit 0
exec 3>&-
trap : TERM INT HUP
PATH=$_fraisier_path "$@"
printf 'exited %s\\n' "$?" 1<>"$_fraisier_marks.end.room"
sync "$_fraisier_marks.end.room" 2>/dev/null
mv "$_fraisier_marks.end.room" "$_fraisier_marks.end"
`;

/** Blocks taken beforehand, so that a disk filled by the command cannot swallow its result. */
const ROOM = `${' '.repeat(511)}\n`;

/**
 * Starts argv under the wrapper and returns its process when that has made its mark. What could not be started is recorded
 * as the command's end, and null is returned.
 */
export async function startWrapped(
  spec: ExecSpec,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ChildProcess | null> {
  // Nobody reads them before the wrapper does, which is not there yet: they may be seen half written.
  const { endRoom, processRoom } = marksOf(spec);
  await Promise.all([endRoom, processRoom].map((room) => writeFile(room, ROOM, { mode: 0o600 })));
  const wrapper = await spawnDetached(spec, argv, environment);
  if (typeof wrapper === 'string') {
    await recordEnd(spec, { ended: 'not_found', message: wrapper });
    return null;
  }
  await claimed(spec, wrapper);
  return wrapper;
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
    stdio: ['ignore', (captured ?? output).fd, output.fd, 'pipe'],
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

/** Waits for the wrapper's first act, its mark. The pipe ends as soon as it is made, and when the wrapper ends without it. */
async function claimed(spec: ExecSpec, wrapper: ChildProcess): Promise<void> {
  const told = wrapper.stdio[3] as Readable;
  // Of a wrapper that has ended by now it may be closed already.
  told.on('error', () => undefined).resume();
  if (!told.closed) await new Promise((closed) => told.once('close', closed));
  for (let pause = 1; (await readMark(marksOf(spec).process)) === null; pause = Math.min(pause * 2, 50)) {
    if (wrapper.exitCode === null && wrapper.signalCode === null) await sleep(pause);
    else
      return recordEnd(spec, {
        ended: 'not_found',
        message: 'it could not be started: the shell around it ended',
      });
  }
}
