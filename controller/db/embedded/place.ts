import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { FraisierError } from '../../../proto/error-codes.js';
import { mayEnter } from './server-user.js';
import type { ServerUser } from './server-user.js';

const POINTER = 'moved-to';
const OWNER = 'belongs-to';
const PREFIX = 'fraisier-postgresql-';
/** Longest folder that leaves room for `/.s.PGSQL.5432` in the 100 or so bytes of a socket's address. */
const LONGEST_SOCKET_FOLDER = 80;

/**
 * The folder that holds data, socket and log: the given one, or, where the server's user may not enter it (a state
 * folder below `/root`), one that is made once elsewhere and named in the file `moved-to`. It stays the controller's
 * own; the server's user may pass through it to the data and the socket, which are its own. Below the temporary folder
 * it stays there; otherwise it is made in `permanentRoot`.
 */
export async function choosePlace(
  folder: string,
  user: ServerUser | null,
  permanentRoot = '/var/lib',
): Promise<string> {
  if (user === null) return folder;
  if (!(await mayEnter(dirname(folder), user))) return await moveAway(folder, permanentRoot);
  await letThrough(folder);
  return folder;
}

/** The place made by an earlier `choosePlace`, or null. */
export async function recordedPlace(folder: string): Promise<string | null> {
  const text = await readFile(join(folder, POINTER), 'utf8').catch(() => null);
  if (text === null) return null;
  const place = text.trim();
  const found = await stat(place).catch(() => null);
  if (found !== null) return place;
  throw new FraisierError(
    'database_away',
    `the embedded database of ${folder} was in ${place}, which is gone`,
    {
      hint: `bring ${place} back; or, to start with an empty database, rm '${join(folder, POINTER)}'`,
    },
  );
}

async function moveAway(folder: string, permanentRoot: string): Promise<string> {
  const temporary = await realpath(tmpdir());
  const isTemporary = folder.startsWith(temporary + sep);
  if (isTemporary) await sweepAbandoned(temporary);
  const place = await mkdtemp(join(isTemporary ? temporary : permanentRoot, PREFIX));
  await letThrough(place);
  await writeFile(join(place, OWNER), `${folder}\n`);
  await writeFile(join(folder, `${POINTER}.new`), `${place}\n`);
  await rename(join(folder, `${POINTER}.new`), join(folder, POINTER));
  return place;
}

/** Removes what was made here for temporary folders that are gone since, unless a server still runs in it. */
async function sweepAbandoned(temporary: string): Promise<void> {
  const { uid } = userInfo();
  for (const name of await readdir(temporary)) {
    const place = join(temporary, name);
    if (!name.startsWith(PREFIX) || (await lstat(place).catch(() => null))?.uid !== uid) continue;
    const owner = await readFile(join(place, OWNER), 'utf8').catch(() => null);
    if (
      owner === null ||
      (await exists(owner.trim())) ||
      (await exists(join(place, 'data', 'postmaster.pid')))
    )
      continue;
    await rm(place, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/**
 * A fresh folder for the socket, entered by the server's user (and root) only: that is the whole access control, the
 * same as that of the data. Short enough for a socket's address, or else below `short`.
 */
export async function makeSocketFolder(
  place: string,
  user: ServerUser | null,
  short = '/tmp',
): Promise<string> {
  const record = join(place, 'socket-at');
  const former = await readFile(record, 'utf8').catch(() => null);
  if (former !== null) await rm(former.trim(), { recursive: true, force: true });
  const wanted = join(place, 'socket');
  const fits = Buffer.byteLength(wanted) <= LONGEST_SOCKET_FOLDER;
  const folder = fits ? wanted : await mkdtemp(join(short, 'fraisier-'));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (user !== null) await chown(folder, user.uid, user.gid);
  await writeFile(record, `${folder}\n`);
  return folder;
}

/** Passing through, not listing: nobody but the controller's user may change what lies here. */
async function letThrough(folder: string): Promise<void> {
  await chmod(folder, 0o711);
}
