import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';

export interface StateLock {
  release(): Promise<void>;
}

/**
 * Makes the state folder and takes `<state>/lock` for this process. It is the kernel's lock on the open file, so it is gone with the process however
 * that ends, and commands the agent starts do not inherit it. Where the command `flock` cannot be run, the process id in the
 * file is asked instead, which two agents started at the same instant can pass.
 * Throws FraisierError `usage` when another agent has it.
 */
export async function lockState(stateFolder: string, command = 'flock'): Promise<StateLock> {
  // Folders above are not ours alone: a controller's database, run by another user, may lie beside.
  await mkdir(dirname(stateFolder), { recursive: true });
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const path = join(stateFolder, 'lock');
  const file = await open(path, 'a+', 0o600);
  try {
    const owner = (await file.readFile('utf8')).trim();
    if (!(await takes(file, owner, command))) throw taken(stateFolder, owner);
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
    return { release: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** `flock` locks the open file it inherits as descriptor 3, which is ours: the lock stays when it has gone. */
async function takes(file: FileHandle, owner: string, command: string): Promise<boolean> {
  const child = spawn(command, ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code === 0;
  } catch {
    // It cannot be started here: the second best way.
    return !isAlive(Number(owner));
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function taken(stateFolder: string, owner: string): FraisierError {
  return new FraisierError(
    'usage',
    `another agent${owner === '' ? '' : ` (process ${owner})`} uses the state folder ${stateFolder}`,
    {
      hint: 'stop it, or give this one another folder with --state',
      facts: { state: stateFolder, process: owner },
    },
  );
}
