import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../proto/package-root.js';

export interface Told {
  /** Below `dist/test`, without its extension. */
  readonly file: string;
  readonly title: string;
  readonly fullTitle: string;
  readonly passed: boolean;
}

interface Reported {
  readonly file: string;
  readonly title: string;
  readonly fullTitle: string;
  readonly err: object;
}

/** Runs mocha on these files (or only lists, with `--dry-run`) and returns what it tells of each test, in its order. */
export async function mocha(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly Told[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-matrix-'));
  try {
    const output = join(folder, 'tests.json');
    const bin = join(packageRoot(), 'node_modules', 'mocha', 'bin', 'mocha.js');
    const reporter = ['--reporter', 'json', '--reporter-option', `output=${output}`];
    const child = spawn(process.execPath, [bin, '--exit', ...reporter, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    const said: string[] = [];
    child.stdout.on('data', (text: Buffer) => said.push(String(text)));
    await once(child, 'close');
    const told = await readFile(output, 'utf8').catch(() => {
      throw new Error(`mocha ${args.join(' ')} told nothing:\n${said.join('').slice(-2_000)}`);
    });
    const { tests } = JSON.parse(told) as { tests: readonly Reported[] };
    return tests.map(({ file, title, fullTitle, err }) => ({
      file: file.replace(/^.*\/dist\/test\//, '').replace(/\.js$/, ''),
      ...{ title, fullTitle, passed: Object.keys(err).length === 0 },
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
