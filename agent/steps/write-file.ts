import { mkdir, open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from './release-layout.js';

/** Puts a whole file there, over what was, so that it lasts: the old one or the new one is seen, never a part. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  // Hidden, and with an end that systemd does not take for a unit.
  const beside = join(dirname(file), `.${basename(file)}.new`);
  const handle = await open(beside, 'w', mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
  await syncFolder(dirname(file));
}
