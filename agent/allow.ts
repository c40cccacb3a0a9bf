import { addToPolicy, type PolicyAdditions } from './policy.js';

/** What to allow on this host, as the flags of `agent allow` and `agent install` say it. */
export interface Allowed {
  readonly repositories?: readonly string[];
  readonly paths?: readonly string[];
  readonly units?: readonly string[];
  readonly users?: readonly string[];
  readonly commands?: readonly string[];
}

/**
 * Adds to the host's policy file and tells what was not there before; an agent reads it afresh for every run.
 * Throws FraisierError when the file is not one that is trusted, or what the disk threw (not the owner).
 */
export async function allowInPolicy({
  policy,
  ...allowed
}: Allowed & { readonly policy: string }): Promise<PolicyAdditions> {
  return addToPolicy(policy, allowed);
}
