import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { webhookAcceptance } from './accept.js';
import { deployments } from './deployments.js';
import { lineOf, type Figure } from './figures.js';
import { pushToFirstStep } from './first-step.js';
import { fleet } from './fleet.js';
import { logLines } from './log-lines.js';
import { rollbacks } from './rollback.js';
import { scale } from './scale.js';
import { startTimes } from './start-time.js';

const PARTS: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  start: startTimes,
  accept: webhookAcceptance,
  'first-step': pushToFirstStep,
  logs: logLines,
  'deploy-1': () => deployments(1),
  'deploy-10': () => deployments(10),
  'fleet-1': () => fleet(1),
  'fleet-10': () => fleet(10),
  'fleet-50': () => fleet(50),
  rollback: rollbacks,
  scale,
};

/**
 * `npm run bench [-- --only PART]… [--json FILE]`: prints a table and writes the same figures to FILE
 * (`bench-results.json`). Every ratio is of two things measured in turns in this run; nothing is asserted.
 */
async function main(): Promise<void> {
  const options = { only: { type: 'string', multiple: true }, json: { type: 'string' } } as const;
  const { only, json } = parseArgs({ options }).values;
  const parts = (only ?? Object.keys(PARTS)).map((name) => partNamed(name));
  const begun = performance.now();
  const load_before = loadavg();
  const figures: Figure[] = [];
  for (const measure of parts) {
    for (const figure of await measure()) {
      figures.push(figure);
      process.stdout.write(`${lineOf(figure)}\n`);
    }
  }
  const took_s = Math.round((performance.now() - begun) / 1000);
  const machine = { ...thisMachine(), load_before, load_after: loadavg() };
  const results = { measured_at: new Date().toISOString(), took_s, machine, figures };
  await writeFile(json ?? 'bench-results.json', `${JSON.stringify(results, null, 2)}\n`);
}

function partNamed(name: string): () => Promise<readonly Figure[]> {
  const part = PARTS[name];
  if (part !== undefined) return part;
  throw new Error(`no part is called ${name}: there are ${Object.keys(PARTS).join(', ')}`);
}

/** The load says whether somebody else was at work. */
function thisMachine(): Readonly<Record<string, string | number>> {
  const model = cpus()[0]?.model ?? '';
  return { node: process.version, cores: availableParallelism(), model, arch: process.arch };
}

await main();
