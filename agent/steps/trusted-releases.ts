import { lstat } from 'node:fs/promises';
import type { ErrorCode } from '../../proto/error-codes.js';
import { ownUser } from '../exec/users.js';
import type { HostUser } from '../exec/users.js';
import { failed } from './ends.js';
import type { FailedEnd } from './ends.js';

/**
 * Why an agent that is root must not work in the folder of releases: whoever can write there could put a link in the place
 * of what root is about to write or remove. Null when only root can, or it is not there yet; an agent that is not root has
 * nothing to lend. Limit: whoever owns the folder above can exchange it after this look.
 */
export async function releasesNotTrusted(
  releases: string,
  code: ErrorCode,
  own: Pick<HostUser, 'uid'> = ownUser(),
): Promise<FailedEnd | null> {
  const there = own.uid === 0 ? await lstat(releases).catch(() => null) : null;
  if (there === null || (there.isDirectory() && there.uid === 0 && (there.mode & 0o022) === 0)) return null;
  const what = there.isDirectory()
    ? `can be written by others than root (uid ${there.uid}, mode ${(there.mode & 0o777).toString(8)})`
    : 'is not a folder';
  const mend = there.isDirectory()
    ? `sudo chown root: ${releases} && sudo chmod go-w ${releases}`
    : `sudo rm ${releases}`;
  return failed(code, `${releases} ${what}, and the agent works in it as root`, {
    hint: `on the host: ${mend} (what is in it stays as it is)`,
    facts: { folder: releases },
  });
}
