import { lchown } from 'node:fs/promises';
import { findUser } from '../exec/users.js';

/** Makes the path itself (no link followed, nothing below it) the user's. Nothing to do for the agent's own (empty). */
export async function giveTo(user: string, path: string): Promise<void> {
  const found = user === '' ? null : await findUser(user);
  if (found !== null) await lchown(path, found.uid, found.gid);
}
