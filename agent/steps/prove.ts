import type { Prove } from '../../proto/gen/fraisier/v1/plan.js';
import { endOfDiskError, failed, succeeded } from './ends.js';
import { liveCommit, placeOf } from './place.js';
import { readReleaseMark, writeReleaseMark } from './release-layout.js';
import type { RunStep } from './step.js';

/** Marks the live release as proven good: everything that could tell otherwise went well. */
export const prove: RunStep<Prove> = async ({ commit }, context) => {
  const place = placeOf(context);
  const live = await liveCommit(context);
  const mark = live === '' ? null : await readReleaseMark(place, live);
  if (mark === null || live !== commit)
    return failed('activate_failed', `the release ${commit} is not live, so it cannot be called good`);
  try {
    await writeReleaseMark(place, { ...mark, provenGoodAt: context.now().toISOString() });
    return succeeded({ summary: 'proven good' });
  } catch (error) {
    return endOfDiskError(error, 'marking the release', 'activate_failed');
  }
};
