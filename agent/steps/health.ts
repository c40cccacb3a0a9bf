import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import type { Health } from '../../proto/gen/fraisier/v1/plan.js';
import { succeeded } from './ends.js';
import type { Look } from './look.js';
import { lookUntilStable } from './look-until-stable.js';
import type { LeftMs } from './look-until-stable.js';
import { liveCommit, placeOf } from './place.js';
import { readReleaseMark, writeReleaseMark } from './release-layout.js';
import type { RunStep, StepContext, StepEnd } from './step.js';
import { misconfiguredEnd, neverGreen, seconds } from './unhealthy-end.js';

/**
 * Waits until every probe is healthy at once and stays so; each attempt is a note. Then the release is good. Ends before its
 * attempts are used up at the deadline, and at once where waiting cannot help (`health_misconfigured`).
 */
export const health: RunStep<Health> = async (spec, context) => {
  const left = deadlineOf(spec, context);
  await grace(spec, left, context);
  let attempt = 1;
  let look = await attemptOf(attempt, spec, left, context);
  while (mayTurnGreen(look) && attempt < attemptsOf(spec) && pauseAfter(attempt, spec) < left()) {
    await context.sleep(pauseAfter(attempt, spec), context.signal);
    look = await attemptOf(++attempt, spec, left, context);
  }
  if (look.healthy) return provenGood(spec, look, context);
  if (!mayTurnGreen(look)) return misconfiguredEnd(look);
  const late = attempt < attemptsOf(spec) ? spec.deadlineMs : null;
  return neverGreen({ attempts: attempt, late }, look, context);
};

function attemptsOf({ attempts }: Health): number {
  return Math.max(1, attempts);
}

function mayTurnGreen({ healthy, code }: Look): boolean {
  return !healthy && code !== 'health_misconfigured';
}

async function attemptOf(attempt: number, spec: Health, left: LeftMs, context: StepContext): Promise<Look> {
  const look = await lookUntilStable(spec, left, context);
  await noteAttempt(attempt, attemptsOf(spec), look, context);
  return look;
}

function deadlineOf({ deadlineMs }: Health, { now }: StepContext): LeftMs {
  if (deadlineMs === 0) return () => Infinity;
  const at = now().getTime() + deadlineMs;
  return () => at - now().getTime();
}

async function grace({ startGraceMs }: Health, left: LeftMs, context: StepContext): Promise<void> {
  if (startGraceMs === 0) return;
  const words = `waiting ${seconds(startGraceMs)} before the first look`;
  await context.note('health_grace', words, { start_grace_ms: String(startGraceMs) });
  await context.sleep(Math.min(startGraceMs, left()), context.signal);
}

/** Longer from one attempt to the next where it backs off, up to its limit. */
function pauseAfter(attempt: number, { delayMs, backoffFactor, maxDelayMs }: Health): number {
  const grown = delayMs * Math.max(1, backoffFactor) ** (attempt - 1);
  return Math.min(grown, Math.max(delayMs, maxDelayMs));
}

async function noteAttempt(attempt: number, of: number, look: Look, context: StepContext): Promise<void> {
  const { answer, answers } = look;
  const each =
    answers.length < 2 ? [] : answers.map((one, at) => [`probe_${at + 1}`, `${one.name}: ${one.answer}`]);
  const facts = { attempt: String(attempt), of: String(of), answer, ...Object.fromEntries(each) };
  await context.note('health_attempt', `attempt ${attempt} of ${of}: ${answer}`, facts);
}

async function provenGood(spec: Health, look: Look, context: StepContext): Promise<StepEnd> {
  const live = await liveCommit(context);
  const mark = live === '' ? null : await readReleaseMark(placeOf(context), live);
  if (mark !== null && !spec.keepUnproven && (spec.commit === '' || spec.commit === live)) {
    // Going back writes nothing that is known: the disk may be full.
    const isKnown = context.phase === Phase.UNDO && mark.provenGoodAt !== null;
    const now = context.now().toISOString();
    if (!isKnown) await writeReleaseMark(placeOf(context), { ...mark, provenGoodAt: now });
  }
  return succeeded({ summary: look.answer });
}
