import { liveRelease, readReleaseMark, writeReleaseMark } from './release-layout.js';
import type { StepContext } from './step.js';

/**
 * What is live is about to be taken back, to `previous` (empty: to nothing). It then counts as good no more than before it was
 * activated: it did not hold on every host, and good releases must not be removed for it. Limit: where its mark cannot be
 * written, as on a full disk, it stays; going back comes first.
 */
export async function takeProofBack(
  previous: string,
  { target, log }: Pick<StepContext, 'target' | 'log'>,
): Promise<void> {
  const live = await liveRelease(target);
  const mark = live === '' ? null : await readReleaseMark(target, live);
  if (mark === null || (mark.previous ?? '') !== previous) return;
  const provenGoodAt = mark.provenBefore ?? null;
  if (mark.provenGoodAt === provenGoodAt) return;
  await writeReleaseMark(target, { ...mark, provenGoodAt }).catch((error: unknown) =>
    log(`${live} still counts as proven good: ${String(error)}`),
  );
}
