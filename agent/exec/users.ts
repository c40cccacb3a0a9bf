import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { runProgram } from './run-program.js';

export interface HostUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The user this process runs as; a uid without an entry is its own name. */
export function ownUser(): HostUser {
  const uid = process.getuid?.() ?? -1;
  try {
    const { username, gid, homedir } = userInfo();
    return { name: username, uid, gid, home: homedir };
  } catch {
    // A container's uid that no database knows: there is no name to be had.
    return { name: String(uid), uid, gid: process.getgid?.() ?? -1, home: '/' };
  }
}

/** Null when the host knows no such user. Asks the name service (`getent`), or reads /etc/passwd where there is none. */
export async function findUser(name: string): Promise<HostUser | null> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(name)) return null;
  const asked = await runProgram(['getent', 'passwd', name], { timeoutMs: 10_000 });
  if (asked.exitCode === 0) return parseEntry(asked.stdout, name);
  return parseEntry(await readFile('/etc/passwd', 'utf8'), name);
}

function parseEntry(entries: string, name: string): HostUser | null {
  for (const line of entries.split('\n')) {
    const [found, , uid, gid, , home] = line.split(':');
    if (found === name && home !== undefined) return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return null;
}
