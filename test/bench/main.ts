import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { webhookAcceptance } from './accept.js';
import { deployments } from './deployments.js';
import type { Figure } from './figures.js';
import { startTimes } from './start-time.js';

const PARTS: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  accept: webhookAcceptance,
  start: startTimes,
  'deploy-1': () => deployments(1),
  'deploy-10': () => deployments(10),
};

/** `npm run bench [-- FILE [PART…]]`: prints a table and writes the figures to FILE (bench-results.json). */
async function main(file = 'bench-results.json', ...parts: readonly string[]): Promise<void> {
  const wanted = parts.length > 0 ? parts : Object.keys(PARTS);
  const figures: Figure[] = [];
  for (const part of wanted) {
    const measure = PARTS[part];
    if (measure === undefined)
      throw new Error(`no part is called ${part}: there are ${Object.keys(PARTS).join(', ')}`);
    for (const figure of await measure()) {
      figures.push(figure);
      process.stdout.write(`${line(figure)}\n`);
    }
  }
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    model: cpus()[0]?.model ?? '',
    arch: process.arch,
  };
  await writeFile(
    file,
    `${JSON.stringify({ measured_at: new Date().toISOString(), machine, figures }, null, 2)}\n`,
  );
}

function line({ what, value, unit, beside, ratio }: Figure): string {
  const figure = `${what.padEnd(52)} ${String(value).padStart(9)} ${unit.padEnd(4)}`;
  return beside === undefined ? figure : `${figure} ${beside.what} ${beside.value} ${unit}: ${ratio} times`;
}

await main(...process.argv.slice(2));
