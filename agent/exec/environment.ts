import { readFile } from 'node:fs/promises';
import { parseEnvironmentFile } from './environment-file.js';
import type { ExecSpec } from './exec.js';
import { searchPath } from './search-path.js';
import { findUser, ownUser } from './users.js';
import type { HostUser } from './users.js';

/** Who a command runs as and with what, or why it cannot. `asOther`: another user than the agent's own. */
export type Surroundings =
  | {
      readonly usable: true;
      readonly user: HostUser;
      readonly asOther: boolean;
      /** PATH, HOME, LANG and the like: what every command gets. */
      readonly minimal: Readonly<Record<string, string>>;
      /** Everything: minimal, then the host's file, then the spec's own, the later winning. */
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly usable: false; readonly message: string };

/** Looks up the spec's user and reads its environment file. Values are returned, never logged or put into a message. */
export async function surroundingsOf(spec: ExecSpec): Promise<Surroundings> {
  const own = ownUser();
  const asOther = spec.user !== null && spec.user !== own.name;
  if (asOther && own.uid !== 0) {
    return unusable(`the agent runs as ${own.name} and must be root to run a command as ${spec.user}`);
  }
  const user = asOther ? await findUser(spec.user) : own;
  if (user === null) return unusable(`there is no user ${spec.user} on this host`);
  const file = spec.environmentFile === null ? {} : await environmentFileAt(spec.environmentFile);
  if (file === null) return unusable(`the environment file ${spec.environmentFile} cannot be read`);
  const minimal = minimalEnvironment(user);
  return { usable: true, user, asOther, minimal, environment: { ...minimal, ...file, ...spec.environment } };
}

/** What a command of this user gets before anything else. The agent's own environment is not handed on. */
export function minimalEnvironment(user: HostUser): Record<string, string> {
  return { PATH: searchPath(), HOME: user.home, LANG: 'C.UTF-8', USER: user.name, LOGNAME: user.name };
}

async function environmentFileAt(file: string): Promise<Record<string, string> | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : parseEnvironmentFile(text);
}

function unusable(message: string): Surroundings {
  return { usable: false, message };
}
