import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../support/run-command.js';

export interface BareSteps {
  readonly folder: string;
  readonly repository: string;
  readonly commit: string;
  readonly hosts: readonly string[];
  readonly health: string;
}

/**
 * The steps of a deployment as a plain script on every host at once: fetch, stage, install, switch, restart, health check,
 * prune. Nothing is recorded, nothing can be undone. Returns how long it took, in ms.
 */
export async function bareSteps({ folder, repository, commit, hosts, health }: BareSteps): Promise<number> {
  const places = hosts.map((host) => join(folder, 'bare', host));
  for (const place of places) await mkdir(join(place, 'releases'), { recursive: true });
  const begun = performance.now();
  await Promise.all(
    places.map((place) => mustRun(['sh', '-c', SCRIPT, 'sh', place, repository, commit, health])),
  );
  return performance.now() - begun;
}

const SCRIPT = `set -eu
cd "$1"
[ -d mirror ] || git init --quiet --bare mirror
git -C mirror fetch --quiet "$2" "+refs/heads/*:refs/heads/*"
mkdir -p "releases/$3"
git -C mirror archive "$3" | tar -x -C "releases/$3"
(cd "releases/$3" && sh install.sh)
ln -sfn "releases/$3" next && mv -T next current
true
curl -fsS "$4" >/dev/null
ls -1t releases | tail -n +6 | while read -r old; do rm -rf "releases/$old"; done
`;
