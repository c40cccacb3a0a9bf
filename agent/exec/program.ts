import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';

/** A program that can be started, or why it cannot. */
export type FoundProgram =
  | { readonly found: true; readonly path: string }
  | { readonly found: false; readonly message: string };

/**
 * Finds what `name` would start: an absolute path, a path below `cwd`, or a name looked up in `searchPath`.
 * Sees missing files, folders, missing execute bits and missing interpreters, so that none of them is taken for a
 * program that itself exits with 126 or 127. Limit: the look is the agent's, not that of the user it will run as.
 */
export async function findProgram(name: string, cwd: string, searchPath: string): Promise<FoundProgram> {
  if (!(await isFolder(cwd))) return missing(`the working folder ${cwd} does not exist`);
  if (name === '') return missing('the command is empty');
  if (!name.includes('/')) {
    const path = findInPath(name, searchPath);
    return path === null ? missing(`${name}: no such program in ${searchPath}`) : withInterpreter(path);
  }
  const path = isAbsolute(name) ? name : resolve(cwd, name);
  if (await isExecutable(path)) return withInterpreter(path);
  const there = await stat(path).catch(() => null);
  if (there === null) return missing(`${name}: no such file`);
  return missing(there.isDirectory() ? `${name} is a folder` : `${name} is not executable`);
}

/** The folders of programs are in the kernel's cache; a host that cannot read them starts nothing anyway. */
function findInPath(name: string, searchPath: string): string | null {
  const candidates = searchPath.split(':').map((folder) => join(folder, name));
  return candidates.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function withInterpreter(path: string): Promise<FoundProgram> {
  const interpreter = /^#!\s*(\S+)/.exec(firstBytes(path))?.[1];
  if (interpreter === undefined || (await isExecutable(interpreter))) return { found: true, path };
  return missing(`${path} names the interpreter ${interpreter}, which is not there`);
}

/** Empty when it cannot be read: an executable need not be readable. */
function firstBytes(path: string): string {
  const buffer = Buffer.alloc(256);
  try {
    const file = openSync(path, 'r');
    try {
      return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}

async function isExecutable(path: string): Promise<boolean> {
  const runs = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  return runs && !(await isFolder(path));
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

function missing(message: string): FoundProgram {
  return { found: false, message };
}
