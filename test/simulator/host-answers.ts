import type { Asks } from '../../agent/questions.js';
import { FraisierError } from '../../proto/error-codes.js';
import { HostPreview, Inspection } from '../../proto/gen/fraisier/v1/agent.js';
import type { Life } from './life.js';
import type { SimulatedHost } from './simulated-host.js';
import type { Software } from './software.js';

/** What a simulated host answers to the questions of a controller. */
export function hostAnswers(host: SimulatedHost, software: Software, life: Life): Asks {
  const after = <T>(answer: () => T): Promise<T> => life.work(host.random.whole(5, 3_000), answer);
  return {
    resolveRef: ({ target, ref }) =>
      after(() => {
        const repository = software.repositories.find(({ name }) => name === target?.fraise);
        const commit = repository?.find(ref) ?? (isBranch(ref) ? repository?.head : null);
        if (commit === null || commit === undefined)
          throw new FraisierError('commit_not_found', `there is no ${ref}`);
        return { commit: commit.sha };
      }),
    inspect: ({ target }) =>
      after(() => {
        const { live, proven, releases } = host.installed(target ?? { fraise: '', environment: '' });
        const kept = [...releases].map((commit) => ({ commit, provenGood: proven.has(commit) }));
        return Inspection.fromPartial({ release: live, provenGood: proven.has(live), kept });
      }),
    preview: () => after(() => HostPreview.fromPartial({})),
    isAncestor: ({ ancestor, descendant }) => after(() => ({ isAncestor: ancestor <= descendant })),
    changedPaths: () => after(() => ({ paths: [], truncated: false })),
  };
}

function isBranch(ref: string): boolean {
  return ref === 'main' || ref === 'develop';
}
