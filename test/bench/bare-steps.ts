import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mustRun } from '../support/run-command.js';

export interface BareSteps {
  readonly folder: string;
  readonly repository: string;
  readonly commit: string;
  readonly hosts: readonly string[];
  readonly health: string;
  /** The words of the install command. */
  readonly install: readonly string[];
}

/**
 * The steps of a deployment as a plain script on every host at once: fetch, stage, install, switch, restart, health check,
 * prune. Nothing is recorded or synced to the disk, nothing can be undone. Returns how long it took, in ms.
 */
export async function bareSteps(steps: BareSteps): Promise<number> {
  const { folder, repository, commit, hosts, health, install } = steps;
  const places = hosts.map((host) => join(folder, 'bare', host, basename(repository)));
  for (const place of places) await mkdir(join(place, 'releases'), { recursive: true });
  const begun = performance.now();
  await Promise.all(
    places.map((place) => mustRun(['sh', '-c', SCRIPT, 'sh', place, repository, commit, health, ...install])),
  );
  return performance.now() - begun;
}

const SCRIPT = `set -eu
cd "$1"
repository=$2
commit=$3
health=$4
shift 4
[ -d mirror ] || git init --quiet --bare mirror
git -C mirror fetch --quiet "$repository" "+refs/heads/*:refs/heads/*"
mkdir -p "releases/$commit"
git -C mirror archive "$commit" | tar -x -C "releases/$commit"
(cd "releases/$commit" && "$@")
ln -sfn "releases/$commit" next && mv -T next current
true
curl -fsS "$health" >/dev/null
ls -1t releases | tail -n +6 | while read -r old; do rm -rf "releases/$old"; done
`;
