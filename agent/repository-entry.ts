import { isAbsolute } from 'node:path';

/** How the agent gets at a private repository; files of this host, never their contents. */
export interface RepositoryCredential {
  /** A repository, or a beginning followed by `*`. */
  readonly url: string;
  readonly sshKey?: string;
  readonly tokenFile?: string;
  /** Sent with the token. */
  readonly username?: string;
  readonly knownHosts?: string;
}

/** The keys of an entry in the file, to those of the type. */
const KEYS = {
  url: 'url',
  ssh_key: 'sshKey',
  token_file: 'tokenFile',
  username: 'username',
  known_hosts: 'knownHosts',
} as const satisfies Record<string, keyof RepositoryCredential>;

const FILES: readonly string[] = ['ssh_key', 'token_file', 'known_hosts'];

/** One entry under `repositories:` that is more than a text, or what is wrong with it. */
export function parseRepositoryEntry(
  value: Readonly<Record<string, unknown>>,
): RepositoryCredential | string {
  const fault = faultOf(value);
  if (fault !== null) return fault;
  const pairs = Object.entries(KEYS).flatMap(([written, key]) =>
    typeof value[written] === 'string' ? [[key, value[written].trim()] as const] : [],
  );
  return { url: '', ...Object.fromEntries(pairs) };
}

function faultOf(value: Readonly<Record<string, unknown>>): string | null {
  for (const [key, one] of Object.entries(value)) {
    if (!Object.hasOwn(KEYS, key)) return `unknown key ${key}; allowed are ${Object.keys(KEYS).join(', ')}`;
    if (typeof one !== 'string' || one.trim() === '' || /\p{Cc}/u.test(one)) return `${key} must be a text`;
    if (FILES.includes(key) && !isAbsolute(one.trim())) return `${key} must be an absolute path`;
  }
  const has = (key: string): boolean => value[key] !== undefined;
  if (!has('url')) return 'url is missing';
  if (has('ssh_key') && has('token_file')) return 'ssh_key and token_file stand beside each other; keep one';
  if (has('username') && !has('token_file')) return 'username is only used with token_file';
  if (has('known_hosts') && has('token_file')) return 'known_hosts is only used with ssh';
  return null;
}

/** As it is written into the file. */
export function writtenEntry(credential: RepositoryCredential): Readonly<Record<string, string>> {
  const pairs = Object.entries(KEYS).flatMap(([written, key]) => {
    const value = credential[key];
    return value === undefined ? [] : [[written, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** For people: the repository and which files are used for it. */
export function describeEntry({ url, sshKey, tokenFile, knownHosts }: RepositoryCredential): string {
  const parts = [
    sshKey === undefined ? '' : `the SSH key ${sshKey}`,
    tokenFile === undefined ? '' : `the token in ${tokenFile}`,
    knownHosts === undefined ? '' : `the host keys in ${knownHosts}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? url : `${url} with ${parts.join(' and ')}`;
}
