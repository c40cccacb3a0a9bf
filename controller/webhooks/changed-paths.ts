import { globPattern } from './matches-glob.js';
import type { Deployable } from './push-event.js';

/** Whether a push touched one of some paths; or only the repository can tell. */
export type PathsAnswer =
  | { readonly changed: true }
  | { readonly changed: false }
  | { readonly changed: 'must_ask_repository'; readonly why: string };

/**
 * Compares what a push touched with the patterns of an environment. No patterns, and a tag, which is made on purpose,
 * are always a change. Where the git host does not say that a push was forced, what it took back may be missing from
 * the delivery: then only a change is certain.
 */
export function pathsChanged(patterns: readonly string[], event: Deployable): PathsAnswer {
  if (patterns.length === 0 || event.kind === 'tag') return { changed: true };
  if (event.forced === true) return ask('the push was forced');
  if (event.changedPaths === null) return ask('the delivery does not name every path');
  if (/^0+$/.test(event.before)) return ask('the branch is new');
  if (touches(patterns, event.changedPaths)) return { changed: true };
  return event.forced === false
    ? { changed: false }
    : ask('the delivery does not say whether the push was forced');
}

/** Whether one of these paths is like one of the patterns. */
export function touches(patterns: readonly string[], paths: readonly string[]): boolean {
  const wanted = patterns.map(globPattern);
  return paths.some((path) => wanted.some((pattern) => pattern.test(path)));
}

function ask(why: string): PathsAnswer {
  return { changed: 'must_ask_repository', why };
}
