import { KeptRelease } from '../../proto/gen/fraisier/v1/agent.js';
import { listReleases } from '../steps/release-layout.js';
import type { ReleaseMark } from '../steps/release-layout.js';

/** Every release that is staged whole at a place, the newest first. */
export async function keptReleases(place: { readonly appPath: string }): Promise<readonly KeptRelease[]> {
  const all = await listReleases(place);
  return all
    .flatMap(({ mark }) => (mark === null ? [] : [mark]))
    .toSorted((one, other) => Date.parse(other.stagedAt) - Date.parse(one.stagedAt))
    .map(kept);
}

function kept({ commit, stagedAt, activatedAt, provenGoodAt }: ReleaseMark): KeptRelease {
  return KeptRelease.fromPartial({
    commit,
    provenGood: provenGoodAt !== null,
    stagedAt: momentIn(stagedAt),
    activatedAt: momentIn(activatedAt),
  });
}

/** A mark that somebody wrote to by hand tells no time. */
function momentIn(text: string | null): Date | undefined {
  const moment = new Date(text ?? Number.NaN);
  return Number.isNaN(moment.getTime()) ? undefined : moment;
}
