import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
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
  const candidates = name.includes('/')
    ? [isAbsolute(name) ? name : resolve(cwd, name)]
    : searchPath.split(':').map((folder) => join(folder, name));
  for (const path of candidates) {
    if (await isExecutable(path)) return withInterpreter(path);
  }
  if (!name.includes('/')) return missing(`${name}: no such program in ${searchPath}`);
  const there = await stat(candidates[0] ?? name).catch(() => null);
  if (there === null) return missing(`${name}: no such file`);
  return missing(there.isDirectory() ? `${name} is a folder` : `${name} is not executable`);
}

async function withInterpreter(path: string): Promise<FoundProgram> {
  const interpreter = /^#!\s*(\S+)/.exec(await firstBytes(path))?.[1];
  if (interpreter === undefined || (await isExecutable(interpreter))) return { found: true, path };
  return missing(`${path} names the interpreter ${interpreter}, which is not there`);
}

/** Empty when it cannot be read: an executable need not be readable. */
async function firstBytes(path: string): Promise<string> {
  const file = await open(path).catch(() => null);
  if (file === null) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
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
