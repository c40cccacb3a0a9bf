import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gitScript } from './git.js';
import type { GitAccess } from './git-access.js';
import type { StepCommand } from './step.js';

/**
 * A partial mirror holds the history of its repository without what `filter` leaves out (`blob:none`: the files), and all
 * of the commits that were brought to be deployed. Git calls the repository it belongs to `origin`.
 */
export function makePartial(mirror: string, repository: string, filter: string): StepCommand {
  return gitScript(MAKE_PARTIAL, mirror, [repository, filter], {});
}

const MAKE_PARTIAL = `run config core.repositoryFormatVersion 1 && run config remote.origin.url "$1" &&
  run config remote.origin.promisor true && run config remote.origin.partialCloneFilter "$2" &&
  run config extensions.partialClone origin`;

/** Whether what the mirror does not hold is to be had from the repository. */
export async function isPartial(mirror: string): Promise<boolean> {
  const settings = await readFile(join(mirror, 'config'), 'utf8').catch(() => '');
  return /^\s*partialclone\s*=/im.test(settings);
}

/** Fetches what the mirror lacks of the tree of a commit. */
export function bringContents(mirror: string, commit: string, access: GitAccess): StepCommand {
  return gitScript(BRING_CONTENTS, mirror, [commit], { access });
}

/** In one go: git by itself would go for one after the other. */
const BRING_CONTENTS = `missing="$mirror.missing"
trap 'rm -f "$missing" "$missing.all"' EXIT
run rev-list --objects --no-walk --missing=print "$1" >"$missing.all" || exit
sed -n 's/^?//p' "$missing.all" >"$missing"
if [ ! -s "$missing" ]; then exit 0; fi
run -c fetch.negotiationAlgorithm=noop fetch --quiet --no-tags --no-write-fetch-head --no-auto-gc \\
  --recurse-submodules=no --filter=blob:none --stdin origin <"$missing"`;
