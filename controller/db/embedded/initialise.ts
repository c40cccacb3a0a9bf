import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chown, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FraisierError } from '../../../proto/error-codes.js';
import { processOptions } from './postmaster.js';
import type { Runtime } from './runtime.js';
import type { ServerUser } from './server-user.js';

/** The one role, a superuser: whoever can open the socket folder could as well read the data. */
export const ROLE = 'fraisier';

/**
 * Makes `data` in `place` unless it is there, whole or not at all. Refuses data of another major version, which
 * PostgreSQL cannot read (`pg_dump` carries them over).
 */
export async function initialise(
  place: string,
  { runtime, user, version }: { runtime: Runtime; user: ServerUser | null; version: string },
): Promise<void> {
  const data = join(place, 'data');
  for (const name of await readdir(place)) {
    if (name.startsWith('data.new-')) await rm(join(place, name), { recursive: true });
  }
  if (
    await access(data).then(
      () => true,
      () => false,
    )
  ) {
    await checkVersion(data, version);
    return;
  }
  const draft = join(place, `data.new-${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { mode: 0o700 });
  if (user !== null) await chown(draft, user.uid, user.gid);
  await runInitdb(draft, runtime, user);
  await rename(draft, data);
}

async function runInitdb(folder: string, runtime: Runtime, user: ServerUser | null): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const argv = ['--pgdata', folder, '--username', ROLE, '--auth=trust', '--no-instructions', ...locale];
  try {
    await promisify(execFile)(join(runtime.bin, 'initdb'), argv, processOptions(runtime, user, folder));
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    const said = (cause as { stderr: string }).stderr.trim() || String(cause);
    throw new FraisierError('database_away', `the embedded PostgreSQL could not be set up: ${said}`, {
      hint: 'make room or mend the permissions of the state folder; or set DATABASE_URL (always so on Alpine Linux)',
      cause,
    });
  }
}

async function checkVersion(data: string, version: string): Promise<void> {
  const found = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  const wanted = version.split('.', 1)[0];
  if (found === wanted) return;
  throw new FraisierError(
    'database_away',
    `the data in ${data} were made by PostgreSQL ${found}; this fraisier brings PostgreSQL ${wanted}`,
    {
      hint: 'start the fraisier that made them, copy its database into a server with pg_dump, and name that server in DATABASE_URL',
    },
  );
}
