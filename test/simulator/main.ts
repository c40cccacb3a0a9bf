import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { simulate, type Outcome } from './simulate.js';
import { simulateMany } from './simulate-many.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    /** The whole story on standard output. */
    trace: { type: 'boolean', default: false },
    /** No further seeds after the first that does not hold. */
    first: { type: 'boolean', default: false },
    /** Says how far it has come after every so many seeds; 0: never. */
    every: { type: 'string', default: '0' },
  },
});
const [first, count] = [Number(values.seed), Number(values.seeds)];
const started = performance.now();
const totals: Record<string, number> = {};
const toldSeeds = new Set<number>();
let [told, failed, next] = [0, 0, first];

/** False when no further seed is wanted. */
function report({ seed, faults, digest, deployments }: Outcome): boolean {
  told += 1;
  for (toldSeeds.add(seed); toldSeeds.delete(next); next += 1);
  for (const [status, times] of Object.entries(deployments)) totals[status] = (totals[status] ?? 0) + times;
  if (told % Number(values.every) === 0 && told < count) sayHowFar();
  if (faults.length === 0) return true;
  failed += 1;
  say(`seed ${seed} (${digest}) does not hold:`);
  for (const { what } of faults.slice(0, 5)) say(`  ${what}`);
  say(`  npm run simulate -- --seed ${seed} --seeds 1 --trace`);
  return !values.first;
}

/** With what tells the rest, should it be broken off. */
function sayHowFar(): void {
  const rest = `--seed ${next} --seeds ${first + count - next}`;
  say(`${told} of ${count} seeds in ${seconds()} s: ${failed} do not hold; the rest: ${rest}`);
}

function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

if (values.trace) {
  for (let seed = first; seed < first + count; seed += 1) if (!report(await simulate(seed, { say }))) break;
} else {
  await simulateMany({ first, count, workers: Number(values.workers) }, report);
}
const ended = Object.entries(totals).map(([status, times]) => `${times} ${status}`);
say(`${told} seeds from ${first} in ${seconds()} s: ${failed} do not hold`);
say(`deployments: ${ended.toSorted().join(', ')}`);
process.exitCode = failed === 0 ? 0 : 1;
