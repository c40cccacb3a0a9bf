import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { ownUser } from './exec/users.js';
import { parsePolicy, POLICY_KEYS, readTrusted } from './policy.js';
import type { Policy, PolicyKey } from './policy.js';
import { describeEntry, writtenEntry } from './repository-entry.js';
import type { RepositoryCredential } from './repository-entry.js';

export type PolicyAdditions = Partial<Readonly<Record<PolicyKey, readonly string[]>>>;

/** What is wanted: lines of the lists, and how to get at private repositories. */
export type WantedOfPolicy = PolicyAdditions & { readonly credentials?: readonly RepositoryCredential[] };

const HEADER = ` What Fraisier's agent may do on this host, on behalf of its controller. Everything that is not listed is refused.
 Keys: repositories, paths, units, unit_files, users, commands; each a list. \`fraisier agent allow\` adds to it.`;

/**
 * Adds what is not there yet and keeps the rest with its comments; makes the file (and its folder) when there is none.
 * The file is replaced as a whole, mode 0644. Returns what was added. Throws as `loadPolicy` does.
 */
export async function addToPolicy(file: string, additions: WantedOfPolicy): Promise<PolicyAdditions> {
  const text = (await readTrusted(file, ownUser())) ?? '';
  const policy = parsePolicy(text, file);
  const document: Document = parseDocument(text);
  if (text === '') document.commentBefore = HEADER;
  const added: Partial<Record<PolicyKey, readonly string[]>> = {};
  for (const key of POLICY_KEYS) {
    const missing = [...new Set(additions[key])].filter((value) => !policy[key].includes(value));
    if (missing.length === 0) continue;
    if (policy[key].length === 0) document.set(key, document.createNode(missing));
    else for (const value of missing) document.addIn([key], value);
    added[key] = missing;
  }
  const told = addCredentials(document, policy, additions.credentials ?? []);
  if (told.length > 0) added.repositories = told;
  if (Object.keys(added).length > 0) await replaceFile(file, parsedAgain(document.toString(), file));
  return added;
}

/** In place of the entry with the same address, or after the others. Returns what changed, for people. */
function addCredentials(
  document: Document,
  policy: Policy,
  wanted: readonly RepositoryCredential[],
): readonly string[] {
  const listed = [...policy.repositories];
  const changed = wanted.filter((one) => {
    const known = policy.credentials?.find(({ url }) => url === one.url);
    return known === undefined || JSON.stringify(writtenEntry(known)) !== JSON.stringify(writtenEntry(one));
  });
  for (const one of changed) {
    const node = document.createNode(writtenEntry(one));
    const at = listed.indexOf(one.url);
    if (at >= 0) document.setIn(['repositories', at], node);
    else if (listed.length === 0) document.set('repositories', document.createNode([writtenEntry(one)]));
    else document.addIn(['repositories'], node);
    if (at < 0) listed.push(one.url);
  }
  return changed.map(describeEntry);
}

/** What is written must be readable by `loadPolicy`, or it is not written. */
function parsedAgain(text: string, file: string): string {
  parsePolicy(text, file);
  return text;
}

async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const beside = `${file}.new`;
  const handle = await open(beside, 'w', 0o644);
  try {
    await handle.chmod(0o644);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}
