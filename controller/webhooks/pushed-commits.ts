import { isObject, type Json } from './payload.js';

/** Files a commit that GitHub names, at most; the others name all. */
const FILES_OF_A_COMMIT = 3000;

/** The message of a commit among those that were pushed; null when it is not among them. */
export function messageOf(commits: unknown, commit: unknown): string | null {
  const message = listOf(commits).find((one) => one['id'] === commit)?.['message'];
  return typeof message === 'string' ? message : null;
}

/**
 * Every path that these commits added, modified or removed. Null when a commit does not name its files, or more than
 * are named, or when the new head `after` is not among them: then the list was cut short, and others are missing.
 */
export function changedPaths(commits: unknown, after: unknown): readonly string[] | null {
  const list = listOf(commits);
  if (!list.some((one) => one['id'] === after)) return null;
  const paths = new Set<string>();
  for (const commit of list) {
    const files = filesOf(commit);
    if (files === null || files.length >= FILES_OF_A_COMMIT) return null;
    for (const file of files) paths.add(file);
  }
  return [...paths];
}

/** How many commits a delivery names. */
export function countOf(commits: unknown): number {
  return listOf(commits).length;
}

/** A list that is `null` is empty, as Go writes it; a commit without any list says nothing of its files. */
function filesOf(commit: Json): readonly string[] | null {
  const lists = ['added', 'modified', 'removed'].map((key) => commit[key]);
  if (!lists.some(Array.isArray)) return null;
  if (lists.some((list) => list != null && !Array.isArray(list))) return null;
  const files: readonly unknown[] = lists.flatMap((list) => list ?? []);
  return files.every((file) => typeof file === 'string') ? files : null;
}

function listOf(commits: unknown): readonly Json[] {
  return Array.isArray(commits) ? commits.filter(isObject) : [];
}
