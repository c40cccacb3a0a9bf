import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { packageRoot } from '../../proto/package-root.js';

const run = promisify(execFile);
const SOURCES = [
  'agent',
  'cli',
  'controller',
  'proto',
  'scripts',
  'test',
  'tsconfig.json',
  'package.json',
  'knexfile.ts',
];

const { values, positionals } = parseArgs({
  options: { seeds: { type: 'string', default: '500' }, seed: { type: 'string', default: '1' } },
  allowPositionals: true,
});

/** Plants each bug in a copy of the sources and has the simulator look for it; every one must be found. */
async function main(): Promise<void> {
  const folder = join(packageRoot(), 'test', 'simulator', 'mutants');
  const all = (await readdir(folder)).filter((name) => name.endsWith('.patch')).sort();
  const wanted = all.filter((name) => positionals.length === 0 || positionals.includes(nameOf(name)));
  const missed: string[] = [];
  for (const patch of wanted) {
    const found = await hunt(join(folder, patch));
    say(`${nameOf(patch).padEnd(40)} ${found ?? `NOT FOUND in ${values.seeds} seeds`}`);
    if (found === null) missed.push(nameOf(patch));
  }
  say(`${wanted.length} mutants, ${missed.length} not found`);
  process.exitCode = missed.length === 0 && wanted.length > 0 ? 0 : 1;
}

/** What the simulator said of it; null when it found nothing wrong. */
async function hunt(patch: string): Promise<string | null> {
  const scratch = await mkdtemp(join(tmpdir(), 'fraisier-mutant-'));
  try {
    await plant(patch, scratch);
    const simulator = join(scratch, 'dist', 'test', 'simulator', 'main.js');
    const argv = [simulator, '--seeds', values.seeds, '--seed', values.seed, '--first'];
    return await run(process.execPath, argv, { cwd: scratch, maxBuffer: 64 * 1024 * 1024 }).then(
      () => null,
      firstFault,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function plant(patch: string, scratch: string): Promise<void> {
  const root = packageRoot();
  for (const name of SOURCES) await cp(join(root, name), join(scratch, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(scratch, 'node_modules'));
  await run('git', ['apply', '-C1', '--recount', patch], { cwd: scratch });
  await run(join(root, 'node_modules', '.bin', 'tsc'), ['--outDir', 'dist'], { cwd: scratch });
}

/** The seed and the first thing that did not hold. Throws when the simulator did not get that far. */
function firstFault(error: unknown): string {
  const { stdout = '' } = error as { readonly stdout?: string };
  const [, seed, fault] = /^seed (\d+) .*\n {2}(.*)$/m.exec(stdout) ?? [];
  if (seed === undefined || fault === undefined) throw error;
  return `seed ${seed}: ${fault}`;
}

function nameOf(patch: string): string {
  return patch.replace(/\.patch$/, '');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
