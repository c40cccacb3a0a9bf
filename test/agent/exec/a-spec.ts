import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecSpec } from '../../../agent/exec/exec.js';
import { packageRoot } from '../../../proto/package-root.js';

/** A program of `test/support/programs`. */
export function program(name: string): string {
  return join(packageRoot(), 'test/support/programs', name);
}

/** Runs `use` with a folder of its own, removed afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-exec-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function aSpec(folder: string, argv: readonly string[], more: Partial<ExecSpec> = {}): ExecSpec {
  return {
    id: 'r_1-build-1-1',
    argv,
    cwd: folder,
    user: null,
    environment: {},
    environmentFile: null,
    outputFile: join(folder, 'output.log'),
    captureFile: null,
    folder,
    graceMs: 300,
    ...more,
  };
}

export const never = (): AbortSignal => new AbortController().signal;

/** Waits for a condition; fails loudly after ten seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(10);
  }
}

export async function outputOf(spec: ExecSpec): Promise<string> {
  return existsSync(spec.outputFile) ? readFile(spec.outputFile, 'utf8') : '';
}

export async function writeExecutable(file: string, text: string): Promise<string> {
  await writeFile(file, text, { mode: 0o755 });
  return file;
}

/** Whether a process with this pid is there and not a zombie. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}
