import { resolve } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';
import { mustBePrivate } from './private-file.js';
import { addToPolicy, type PolicyAdditions } from './add-to-policy.js';
import type { RepositoryCredential } from './repository-entry.js';

/** What to allow on this host, as the flags of `agent allow` and `agent install` say it. */
export interface Allowed {
  readonly repositories?: readonly string[];
  /** How to get at the repositories. */
  readonly credential?: Omit<RepositoryCredential, 'url'>;
  readonly paths?: readonly string[];
  readonly units?: readonly string[];
  /** Units whose files may come from a repository. */
  readonly unit_files?: readonly string[];
  readonly users?: readonly string[];
  readonly commands?: readonly string[];
}

/**
 * Adds to the host's policy file and tells what was not there before; an agent reads it afresh for every run.
 * Throws FraisierError when the file is not one that is trusted, a credential is not private to the agent or has no
 * repository, or what the disk threw (not the owner).
 */
export async function allowInPolicy({
  policy,
  credential,
  ...allowed
}: Allowed & { readonly policy: string }): Promise<PolicyAdditions> {
  if (credential === undefined || Object.keys(credential).length === 0) return addToPolicy(policy, allowed);
  const { repositories = [], ...others } = allowed;
  const complete = await usable(credential, repositories);
  return addToPolicy(policy, { ...others, credentials: repositories.map((url) => ({ url, ...complete })) });
}

/** With absolute paths, to files that only the agent's user can read. */
async function usable(
  credential: Omit<RepositoryCredential, 'url'>,
  repositories: readonly string[],
): Promise<Omit<RepositoryCredential, 'url'>> {
  const { sshKey, tokenFile, knownHosts, username } = credential;
  if (repositories.length === 0) throw usage('a key or token is for a repository: say --repository as well');
  if (sshKey !== undefined && tokenFile !== undefined) throw usage('say --ssh-key or --token-file, not both');
  if (username !== undefined && tokenFile === undefined) throw usage('--username goes with --token-file');
  if (knownHosts !== undefined && tokenFile !== undefined) throw usage('--known-hosts goes with --ssh-key');
  const key = sshKey === undefined ? null : resolve(sshKey);
  const token = tokenFile === undefined ? null : resolve(tokenFile);
  if (key !== null) await mustBePrivate(key, 'SSH key');
  if (token !== null) await mustBePrivate(token, 'token');
  return {
    ...(key === null ? {} : { sshKey: key }),
    ...(token === null ? {} : { tokenFile: token }),
    ...(username === undefined ? {} : { username }),
    ...(knownHosts === undefined ? {} : { knownHosts: resolve(knownHosts) }),
  };
}

function usage(message: string): FraisierError {
  return new FraisierError('usage', message);
}
