import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { FraisierError } from '../proto/error-codes.js';
import { ownUser } from './exec/users.js';
import type { HostUser } from './exec/users.js';

export type Secret = 'SSH key' | 'token';

/**
 * Throws FraisierError `policy_refused`, with the command that mends it, unless the file is there, belongs to root or the
 * agent's own user, and nobody else can read it. Its content is not read.
 */
export async function mustBePrivate(file: string, what: Secret, own: HostUser = ownUser()): Promise<void> {
  const handle = await open(file).catch((error: unknown) => {
    throw cannotOpen(file, what, own, error);
  });
  try {
    await check(handle, file, what, own);
  } finally {
    await handle.close();
  }
}

function cannotOpen(file: string, what: Secret, own: HostUser, cause: unknown): FraisierError {
  const absent = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  const message = absent
    ? `the ${what} ${file} is not there`
    : `the ${what} ${file} cannot be read by ${own.name}, whom the agent runs as`;
  return new FraisierError('policy_refused', message, {
    hint: absent ? MAKE[what](file) : chown(own, file),
    cause,
  });
}

const MAKE: Readonly<Record<Secret, (file: string) => string>> = {
  'SSH key': (file) => `sudo ssh-keygen -q -t ed25519 -N '' -f ${file}`,
  token: (file) => `sudo install -m 600 /dev/stdin ${file}, and type the token`,
};

async function check(handle: FileHandle, file: string, what: Secret, own: HostUser): Promise<void> {
  const found = await handle.stat();
  if (!found.isFile()) throw new FraisierError('policy_refused', `the ${what} ${file} is not a file`);
  if (found.uid !== 0 && found.uid !== own.uid) {
    const message = `the ${what} ${file} belongs to uid ${found.uid}, not to ${own.name}: it is not used`;
    throw new FraisierError('policy_refused', message, { hint: chown(own, file) });
  }
  if ((found.mode & 0o077) !== 0) {
    const message = `the ${what} ${file} can be used by others than its owner: it is not used`;
    throw new FraisierError('policy_refused', message, { hint: `sudo chmod 600 ${file}` });
  }
}

function chown(own: HostUser, file: string): string {
  return `sudo chown ${own.name} ${file}`;
}
