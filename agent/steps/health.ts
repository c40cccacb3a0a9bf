import type { Health } from '../../proto/gen/fraisier/v1/plan.js';
import { failed, succeeded } from './ends.js';
import { judge, unhealthy } from './judge-health.js';
import type { Verdict } from './judge-health.js';
import { fullUnitName } from './policy-rules.js';
import { probe } from './probe.js';
import { liveRelease, readReleaseMark, writeReleaseMark } from './release-layout.js';
import { logJournal } from './restart.js';
import type { RunStep, StepContext, StepEnd } from './step.js';

/** While it must stay healthy it is looked at this often, or as often as its attempts are apart. */
const STABLE_PAUSE_MS = 1000;
const SHORTEST_PAUSE_MS = 50;

/** Waits until the service answers as wanted and goes on doing so; each attempt is a note. Then the release is good. */
export const health: RunStep<Health> = async (spec, context) => {
  const attempts = Math.max(1, spec.attempts);
  let verdict = unhealthy('it was not looked at');
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (attempt > 1) await context.sleep(spec.delayMs, context.signal);
    verdict = await lookUntilStable(spec, context);
    const facts = { attempt: String(attempt), of: String(attempts), answer: verdict.answer };
    await context.note('health_attempt', `attempt ${attempt} of ${attempts}: ${verdict.answer}`, facts);
    if (verdict.healthy) return provenGood(spec, verdict, context);
  }
  return neverGreen(spec, attempts, verdict, context);
};

/** Healthy when it is now, and stays so without its unit being restarted meanwhile. */
async function lookUntilStable(spec: Health, context: StepContext): Promise<Verdict> {
  const before = await restartsOf(context);
  const started = context.now().getTime();
  const pause = Math.max(SHORTEST_PAUSE_MS, Math.min(spec.delayMs, STABLE_PAUSE_MS));
  let verdict = await lookOnce(spec, context, before);
  while (verdict.healthy) {
    const leftMs = started + spec.stableForMs - context.now().getTime();
    if (leftMs <= 0) break;
    await context.sleep(Math.min(pause, leftMs), context.signal);
    verdict = await lookOnce(spec, context, before);
    if (!verdict.healthy)
      verdict = { ...verdict, answer: `${verdict.answer} (it was healthy first, but did not stay so)` };
  }
  return verdict;
}

async function lookOnce(spec: Health, context: StepContext, restartsBefore: string): Promise<Verdict> {
  const verdict = judge(await probe(spec.url, spec.timeoutMs, context.signal), spec);
  const restarts = await restartsOf(context);
  if (!verdict.healthy || restarts === restartsBefore) return verdict;
  return unhealthy(`its unit was restarted while it had to stay up (${restarts} restarts)`);
}

/** systemd's own count; empty where there is no unit to ask about. */
async function restartsOf({ systemd, target }: StepContext): Promise<string> {
  if (systemd === null || target.systemdService === '') return '';
  return (await systemd.show(fullUnitName(target.systemdService), ['NRestarts']))['NRestarts'] ?? '';
}

async function provenGood(spec: Health, verdict: Verdict, context: StepContext): Promise<StepEnd> {
  const live = await liveRelease(context.target);
  const mark = live === '' ? null : await readReleaseMark(context.target, live);
  if (mark !== null && (spec.commit === '' || spec.commit === live)) {
    await writeReleaseMark(context.target, { ...mark, provenGoodAt: context.now().toISOString() });
  }
  return succeeded({ summary: verdict.answer });
}

async function neverGreen(
  spec: Health,
  attempts: number,
  last: Verdict,
  context: StepContext,
): Promise<StepEnd> {
  const unit = context.target.systemdService;
  if (unit !== '') await logJournal(fullUnitName(unit), context);
  const tries = attempts === 1 ? 'one attempt' : `${attempts} attempts`;
  const facts: Record<string, string> = { check: spec.url, answer: last.answer, attempts: String(attempts) };
  if (last.servedVersion !== '') facts['served_version'] = last.servedVersion;
  const message = `the health check ${spec.url} did not turn green in ${tries}; the last answer: ${last.answer}`;
  const hint =
    unit === ''
      ? 'look at what the service printed when it started'
      : `on the host: journalctl -u ${fullUnitName(unit)}`;
  return failed(last.code, message, { hint, facts, result: { summary: last.answer } });
}
