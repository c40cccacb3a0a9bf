import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { ExecSpec } from './exec.js';
import { makeMark, marksOf, putMark, recordEnd } from './marks.js';
import { ownLine } from './processes.js';
import type { ProcessSource } from './processes.js';
import { searchPath } from './search-path.js';

/**
 * Around every command, as leader of its group, so that a result outlives the agent that asked for it:
 * 1. outlives SIGTERM, with a handler rather than by ignoring it, which the command would inherit,
 * 2. waits for the word to go, which is given once its mark is made; an agent that dies before that gives none,
 * 3. writes the exit status over the room made for it, in one go, and syncs it when no agent is there to journal it.
 * It has the command's environment, in which its own few names must not matter, and finds its own tools without it.
 */
const WRAPPER = `
_fraisier_end=$1
shift
trap : TERM INT HUP
read -r _fraisier_go <&3 || exit 0
"$@" 3>&-
printf 'exited %s\\n' "$?" 1<>"$_fraisier_end"
trap '' PIPE
printf . 2>/dev/null >&3 || PATH=${searchPath()} sync "$_fraisier_end" 2>/dev/null
`;

/** Blocks taken beforehand, so that a disk filled by the command cannot swallow its result. */
const ROOM = `${' '.repeat(511)}\n`;

/**
 * Starts argv under the wrapper and returns its process when its mark is made and it was told to go; null when there is
 * none: what could not be started is recorded as the command's end, and a start that was declared void is left alone.
 */
export async function startWrapped(
  spec: ExecSpec,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  source: ProcessSource,
): Promise<ChildProcess | null> {
  putMark(marksOf(spec).end, ROOM);
  const wrapper = await spawnDetached(spec, argv, environment);
  if (typeof wrapper === 'string') return notStarted(spec, wrapper);
  const word = wrapper.stdio[3] as Socket;
  // Of a wrapper that has ended by now it may be closed already.
  word.on('error', () => undefined).resume();
  word.unref();
  try {
    const line = await ownLine(wrapper.pid ?? 0, source);
    if (line === '') return await notStarted(spec, 'the shell around it ended');
    if (!makeMark(marksOf(spec).process, line)) return null;
    word.write('go\n');
    return wrapper;
  } finally {
    // A wrapper that was not told to go is told that nobody will.
    if (word.bytesWritten === 0) word.destroy();
  }
}

async function notStarted(spec: ExecSpec, why: string): Promise<null> {
  await recordEnd(spec, { ended: 'not_found', message: `it could not be started: ${why}` });
  return null;
}

/** The wrapper, or why it could not be started. */
async function spawnDetached(
  spec: ExecSpec,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ChildProcess | string> {
  const output = openSync(spec.outputFile, 'a', 0o600);
  const captured = spec.captureFile === null ? null : openSync(spec.captureFile, 'a', 0o600);
  const options: SpawnOptions = {
    cwd: spec.cwd,
    env: environment,
    detached: true,
    stdio: ['ignore', captured ?? output, output, 'pipe'],
  };
  try {
    return await spawned(['/bin/sh', '-c', WRAPPER, 'fraisier', marksOf(spec).end, ...argv], options);
  } finally {
    closeSync(output);
    if (captured !== null) closeSync(captured);
  }
}

async function spawned(argv: readonly string[], options: SpawnOptions): Promise<ChildProcess | string> {
  const [shell = '', ...rest] = argv;
  return new Promise((done) => {
    try {
      const child = spawn(shell, rest, options);
      child.once('error', (error) => done(error.message));
      child.once('spawn', () => {
        child.unref();
        done(child);
      });
    } catch (error) {
      // Thrown at once for what no process can be given, such as a NUL byte.
      done(String(error));
    }
  });
}
