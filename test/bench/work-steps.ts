/** What is done on every host, however it is driven. */
export interface Work {
  readonly repository: string;
  readonly commit: string;
  readonly health: string;
  /** The words of the install command. */
  readonly install: readonly string[];
  /** A script that migrates the database named by its argument. */
  readonly migrate: string;
}

/** A step as shell text, in which `$host` is the host's name. */
export interface WorkStep {
  readonly name: string;
  readonly script: string;
}

/** As a deployment goes: the next phase begins on no host before the one before has ended on all. */
export interface WorkPhase {
  readonly on: 'every host' | 'the first host';
  readonly steps: readonly WorkStep[];
}

/** The same steps as those of a deployment, for hosts that are folders below `folder`. */
export function phasesOf(folder: string, work: Work): readonly WorkPhase[] {
  const { repository, commit, health, install, migrate } = work;
  const place = `cd "${folder}/$host"`;
  const release = `${place}/releases/${commit}`;
  const prepare: readonly WorkStep[] = [
    {
      name: 'fetch',
      script: `mkdir -p "${folder}/$host/releases" && ${place} && { [ -d mirror ] || git init -q --bare mirror; } &&
git -C mirror fetch -q "${repository}" "+${commit}:refs/wanted/${commit}"`,
    },
    {
      name: 'stage',
      script: `${place}/releases && mkdir -p ${commit} && git -C ../mirror archive ${commit} | tar -x -C ${commit}`,
    },
    { name: 'install', script: `${release} && ${install.join(' ')}` },
  ];
  const release_: readonly WorkStep[] = [
    { name: 'activate', script: `${place} && ln -sfn releases/${commit} next && mv -T next current` },
    { name: 'restart', script: 'true' },
    { name: 'health', script: `curl -fsS "${health}" >/dev/null` },
    {
      name: 'prune',
      script: `${place}/releases && ls -1t | tail -n +6 | while read -r old; do rm -rf "$old"; done`,
    },
  ];
  return [
    { on: 'every host', steps: prepare },
    {
      on: 'the first host',
      steps: [{ name: 'migrate', script: `${release} && sh "${migrate}" up "${folder}/database"` }],
    },
    { on: 'every host', steps: release_ },
  ];
}

/** All steps of a phase as one script; `host` is text that becomes the host's name. */
export function scriptOf({ steps }: WorkPhase, host: string): string {
  return ['set -eu', `host=${host}`, ...steps.map(({ script }) => `(${script})`)].join('\n');
}
