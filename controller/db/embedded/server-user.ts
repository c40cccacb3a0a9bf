import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { FraisierError } from '../../../proto/error-codes.js';

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Tried in this order when the controller runs as root, because PostgreSQL refuses to. */
export const UNPRIVILEGED_USERS = ['postgres', 'nobody'] as const;

/**
 * Who the server runs as: null for the controller's own (ordinary) user; as root the owner of the data when there is
 * some already, else the first of `candidates` that this machine has.
 */
export async function serverUser(
  dataFolder: string,
  { uid = userInfo().uid, candidates = UNPRIVILEGED_USERS as readonly string[] } = {},
): Promise<ServerUser | null> {
  const owner = await ownerOf(dataFolder);
  if (uid !== 0) {
    if (owner !== null && owner.uid !== uid) throw notOurs(dataFolder, owner.uid, uid);
    return null;
  }
  if (owner !== null && owner.uid !== 0) return owner;
  for (const name of candidates) {
    const user = await lookUp(name);
    if (user !== null) return user;
  }
  throw new FraisierError(
    'database_away',
    'PostgreSQL refuses to run as root and there is no user to run it as',
    {
      hint: `make one of the users ${candidates.join(', ')}, or set DATABASE_URL`,
    },
  );
}

function notOurs(folder: string, owner: number, uid: number): FraisierError {
  return new FraisierError(
    'database_away',
    `${folder} belongs to user ${owner}, this controller runs as user ${uid}`,
    {
      hint: 'run the controller as root or as the user it ran as before, or give it its own --state',
    },
  );
}

/** Whether the user may enter this folder, all those above it included. Looks at permission bits only, not at ACLs. */
export async function mayEnter(folder: string, user: ServerUser): Promise<boolean> {
  if (!(await allows(folder, user, 0o1))) return false;
  const above = dirname(folder);
  return above === folder || (await mayEnter(above, user));
}

/** Whether the user may read and run this file where it lies. */
export async function mayRun(file: string, user: ServerUser): Promise<boolean> {
  return (await allows(file, user, 0o5)) && (await mayEnter(dirname(file), user));
}

async function allows(path: string, user: ServerUser, bits: number): Promise<boolean> {
  const found = await stat(path);
  const shift = found.uid === user.uid ? 6 : found.gid === user.gid ? 3 : 0;
  return ((found.mode >> shift) & bits) === bits;
}

async function ownerOf(folder: string): Promise<ServerUser | null> {
  try {
    const { uid, gid } = await stat(folder);
    return { uid, gid };
  } catch {
    return null;
  }
}

async function lookUp(name: string): Promise<ServerUser | null> {
  try {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)]);
    return { uid, gid };
  } catch {
    return null;
  }
}

async function idOf(which: '-u' | '-g', name: string): Promise<number> {
  const { stdout } = await promisify(execFile)('id', [which, name]);
  return Number(stdout.trim());
}
