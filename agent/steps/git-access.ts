import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { FraisierError } from '../../proto/error-codes.js';
import type { Policy } from '../policy.js';
import { mustBePrivate } from '../private-file.js';
import type { RepositoryCredential } from '../repository-entry.js';
import { allowLine, matchesRepository, quoteWord } from './policy-rules.js';

/** What git is given so that it gets at one repository. Names of files only: no secret is in it. */
export interface GitAccess {
  readonly settings: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the host's policy says of the repository; null: nothing but that it is allowed. */
  readonly credential: RepositoryCredential | null;
  /** Finishes `fraisier agent allow …` for this repository and host. */
  readonly allow: (flags: string) => string;
}

/**
 * How this host gets at a repository, from its policy. Throws FraisierError `policy_refused` with the command that mends
 * it when a file of the credential is not there or not private, or a token would be sent in clear.
 */
export async function accessTo(
  repository: string,
  { policy, stateFolder }: { readonly policy: Policy; readonly stateFolder: string },
): Promise<GitAccess> {
  const found = policy.credentials?.find(({ url }) => matchesRepository(url, repository)) ?? null;
  const allow = (flags: string): string =>
    allowLine(
      policy,
      [`--repository ${quoteWord(repository)}`, flags].filter((one) => one !== ''),
    );
  const plain = { settings: [], environment: {}, credential: found, allow };
  if (found?.tokenFile !== undefined) {
    return { ...plain, ...(await byToken(repository, found.tokenFile, found.username, stateFolder)) };
  }
  if (found === null) return plain;
  if (found.sshKey !== undefined) await mustBePrivate(found.sshKey, 'SSH key');
  return { ...plain, environment: { GIT_SSH_COMMAND: sshCommand(found) } };
}

/** Only this key, only hosts that are known, never a question. */
function sshCommand({ sshKey, knownHosts }: RepositoryCredential): string {
  const key = sshKey === undefined ? [] : ['-i', quoteWord(sshKey), '-o', 'IdentitiesOnly=yes'];
  const known = knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${sshWord(knownHosts)}`];
  return ['ssh', ...key, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', ...known].join(' ');
}

/** ssh takes a value apart at spaces, unless it is in double quotes. */
function sshWord(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(path) ? path : quoteWord(`"${path}"`);
}

/**
 * Git asks this for the name and the token. It reads the file itself, and answers for one host only: a server that sends
 * git elsewhere does not send the token with it.
 */
const ASKPASS = `#!/bin/sh
case "$1" in
  *"://$FRAISIER_GIT_HOST'"* | *"@$FRAISIER_GIT_HOST'"*) ;;
  *) exit 1 ;;
esac
case "$1" in
  Username*) printf '%s\\n' "$FRAISIER_GIT_USERNAME" ;;
  *) exec head -n 1 "$FRAISIER_GIT_TOKEN_FILE" ;;
esac
`;

async function byToken(
  repository: string,
  file: string,
  username: string | undefined,
  stateFolder: string,
): Promise<Pick<GitAccess, 'settings' | 'environment'>> {
  const host = hostForToken(repository);
  await mustBePrivate(file, 'token');
  return {
    // No helper of the host may see the token, or answer instead of it.
    settings: ['credential.helper=', 'credential.useHttpPath=false'],
    environment: {
      GIT_ASKPASS: await askpassProgram(stateFolder),
      FRAISIER_GIT_HOST: host,
      FRAISIER_GIT_USERNAME: username ?? 'x-access-token',
      FRAISIER_GIT_TOKEN_FILE: file,
    },
  };
}

/** Host and port of an address that a token may be sent to. */
function hostForToken(repository: string): string {
  const [, scheme = '', host = ''] = /^(https?):\/\/([^/@]+)(?:\/|$)/i.exec(repository) ?? [];
  const local = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/.test(host);
  if (scheme.toLowerCase() === 'https' || (scheme !== '' && local)) return host;
  throw new FraisierError('policy_refused', `the token for ${repository} is only ever sent over https`, {
    hint: 'use the https:// address of the repository, or an SSH key',
  });
}

async function askpassProgram(stateFolder: string): Promise<string> {
  const file = join(stateFolder, 'git-askpass');
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, ASKPASS, { mode: 0o700 });
  await rename(`${file}.new`, file);
  return file;
}

/** What git was told by the other side, as one sentence with the next thing to do; null for anything else it says. */
export function refusedByHost(repository: string, output: string, access: GitAccess): Reason | null {
  const found = SIGNS.find(({ sign }) => sign.test(output));
  if (found === undefined) return null;
  const [message, hint] = found.say(repository, access);
  return reason('fetch_failed', message, { hint, facts: { repository } });
}

interface Sign {
  readonly sign: RegExp;
  readonly say: (repository: string, access: GitAccess) => readonly [message: string, hint: string];
}

/** The first that fits: what ssh says of a key comes before its `Permission denied`. */
const SIGNS: readonly Sign[] = [
  {
    sign: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    say: (repository, { credential }) => [
      `the host key of ${hostOf(repository)} is not the one that this host knows: it was replaced, or somebody is in between`,
      `once you know that it was replaced: ssh-keygen -R ${knownName(repository)}${fileFlag(credential)}`,
    ],
  },
  {
    sign: /Host key verification failed|host key is known for/,
    say: (repository, { credential }) => [
      `the host key of ${hostOf(repository)} is not known on this host, so git did not connect`,
      `compare its fingerprint, then: ssh-keyscan ${portFlag(repository)}${hostOf(repository)} | sudo tee -a ${credential?.knownHosts ?? '/etc/ssh/ssh_known_hosts'}`,
    ],
  },
  {
    sign: /Load key .*:|incorrect passphrase|invalid format/,
    say: (_, { credential }) => [
      `the SSH key ${credential?.sshKey ?? 'of this host'} cannot be used: it is no private key, or has a passphrase`,
      'give it one without a passphrase: nobody is there to type it',
    ],
  },
  {
    sign: /Permission denied \(/,
    say: (repository, { credential, allow }) =>
      credential?.sshKey === undefined
        ? [
            `${hostOf(repository)} accepted no SSH key of this host for ${repository}`,
            allow('--ssh-key FILE'),
          ]
        : [
            `${hostOf(repository)} did not accept the SSH key ${credential.sshKey} for ${repository}`,
            `add its public half to the repository as a deploy key: ssh-keygen -y -f ${credential.sshKey}`,
          ],
  },
  {
    sign: /returned error: 403/,
    say: (repository, { credential }) => [
      `${repository} may not be read${withToken(credential)} (403)`,
      'give the token, or this host, the right to read the repository',
    ],
  },
  {
    sign: /Authentication failed|could not read (?:Username|Password)|returned error: 401/,
    say: (repository, { credential, allow }) =>
      credential?.tokenFile === undefined
        ? [`${repository} asks for a login (401), and this host has none for it`, allow('--token-file FILE')]
        : [
            `${repository} did not accept the token in ${credential.tokenFile} (401)`,
            `put a valid one there: sudo install -m 600 /dev/stdin ${credential.tokenFile}`,
          ],
  },
];

function withToken(credential: RepositoryCredential | null): string {
  return credential?.tokenFile === undefined ? '' : ` with the token in ${credential.tokenFile}`;
}

function fileFlag(credential: RepositoryCredential | null): string {
  return credential?.knownHosts === undefined ? '' : ` -f ${credential.knownHosts}`;
}

/** Of `ssh://user@host:port/path` or `user@host:path`; the whole address for any other. */
function hostOf(repository: string): string {
  return partsOf(repository).host;
}

function portFlag(repository: string): string {
  const { port } = partsOf(repository);
  return port === '' ? '' : `-p ${port} `;
}

/** As known_hosts writes it. */
function knownName(repository: string): string {
  const { host, port } = partsOf(repository);
  return port === '' ? host : `'[${host}]:${port}'`;
}

function partsOf(repository: string): { readonly host: string; readonly port: string } {
  const [, host, port = ''] =
    /^ssh:\/\/(?:[^/@]*@)?([^/:]+)(?::(\d+))?/.exec(repository) ??
    /^(?:[^/@:]*@)?([^/:]+):/.exec(repository) ??
    [];
  return { host: host ?? repository, port };
}
