import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isCode } from './ends.js';
import { placeOf } from './place.js';
import type { OnHost } from './place.js';
import { syncFolder } from './release-layout.js';

/**
 * While the files of a checkout are being replaced a note of it lies in the state folder. Found by a later start of the
 * agent it says: what is changed in the tree was changed by us, the checkout is to be done again.
 */
const NOTE = 'checking-out';

/** The commit whose checkout was begun and not ended; null when there is none. */
export async function readBrokenOff(host: OnHost): Promise<string | null> {
  try {
    return (await readFile(noteOf(host), 'utf8')).trim();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** On the disk when it returns. */
export async function noteCheckout(host: OnHost, commit: string): Promise<void> {
  const folder = placeOf(host).appPath;
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const handle = await open(`${noteOf(host)}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${commit}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${noteOf(host)}.new`, noteOf(host));
  await syncFolder(folder);
}

/** The checkout has ended, or was never begun. */
export async function forgetCheckout(host: OnHost): Promise<void> {
  await rm(noteOf(host), { force: true });
}

function noteOf(host: OnHost): string {
  return join(placeOf(host).appPath, NOTE);
}
