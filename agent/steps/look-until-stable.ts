import type { Health } from '../../proto/gen/fraisier/v1/plan.js';
import { unhealthy } from './judge-health.js';
import { lookOnceAt, lookPortsOf } from './look.js';
import type { Look } from './look.js';
import { fullUnitName } from './policy-rules.js';
import type { StepContext } from './step.js';
import { seconds } from './unhealthy-end.js';

/** While it must stay healthy it is looked at this often, or as often as its attempts are apart. */
const STABLE_PAUSE_MS = 1000;
const SHORTEST_PAUSE_MS = 50;

/** What is left of the deadline; Infinity without one. */
export type LeftMs = () => number;

/** Healthy when it is now, and stays so without a unit of it being restarted meanwhile. */
export async function lookUntilStable(spec: Health, left: LeftMs, context: StepContext): Promise<Look> {
  const before = await restartsOf(spec, context);
  const started = context.now().getTime();
  const pause = Math.max(SHORTEST_PAUSE_MS, Math.min(spec.delayMs, STABLE_PAUSE_MS));
  let look = await lookNow(spec, before, left, context);
  while (look.healthy) {
    const leftMs = started + spec.stableForMs - context.now().getTime();
    if (leftMs <= 0) break;
    await context.sleep(Math.max(0, Math.min(pause, leftMs, left())), context.signal);
    if (left() <= 0) return tooLate(look, spec);
    look = await lookNow(spec, before, left, context);
    if (!look.healthy)
      look = { ...look, answer: `${look.answer} (it was healthy first, but did not stay so)` };
  }
  return look;
}

function tooLate(look: Look, { stableForMs, probes }: Health): Look {
  const answer = `${look.answer} (healthy, but not yet for ${seconds(stableForMs)})`;
  return { ...look, ...unhealthy(answer), failing: probes.map(({ name }) => name) };
}

type Restarts = ReadonlyMap<string, string>;

async function lookNow(spec: Health, before: Restarts, left: LeftMs, context: StepContext): Promise<Look> {
  const look = await lookOnceAt(spec, lookPortsOf(context), left());
  if (!look.healthy) return look;
  const after = await restartsOf(spec, context);
  const unit = [...after.keys()].find((name) => before.has(name) && after.get(name) !== before.get(name));
  if (unit === undefined) return look;
  const answer = `${unit} was restarted while it had to stay up (${after.get(unit)} restarts)`;
  return { ...look, ...unhealthy(answer), failing: [unit] };
}

/** systemd's own count of each unit that must stay up, as far as it answers. */
async function restartsOf({ probes }: Health, { systemd, target }: StepContext): Promise<Restarts> {
  if (systemd === null) return new Map();
  const probed = probes.flatMap(({ look }) => (look?.$case === 'unit' ? [look.value.unit] : []));
  const units = [target.systemdService, ...probed].filter((unit) => unit !== '').map(fullUnitName);
  const counts = [...new Set(units)].map(async (unit) => {
    const shown = await systemd.show(unit, ['NRestarts']);
    return [unit, shown['NRestarts'] ?? ''] as const;
  });
  return new Map((await Promise.all(counts)).filter(([, count]) => count !== ''));
}
