import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../proto/package-root.js';
import { takeDownOrphans } from './lab/take-down.js';

const NEEDED = ['systemd-nspawn', 'mmdebstrap', 'ip', 'nsenter', 'mount'];

/**
 * Runs the fleet tests in a process of their own, and takes every lab down afterwards however that process ended.
 * Where they cannot run it says why; that is a failure in CI (`CI=true`).
 */
async function main(): Promise<number> {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    process.stderr.write(`the fleet tests cannot run here: ${missing}\n`);
    return process.env['CI'] === undefined ? 0 : 1;
  }
  await takeDownOrphans(tmpdir());
  const here = fileURLToPath(new URL('.', import.meta.url));
  const mocha = join(packageRoot(), 'node_modules', 'mocha', 'bin', 'mocha.js');
  const files = process.argv.length > 2 ? process.argv.slice(2) : [join(here, '**', '*.fleet.js')];
  const strict = ['--forbid-only', '--forbid-pending', '--fail-zero', '--timeout', '180000'];
  const tests = spawn(process.execPath, [mocha, ...strict, ...files], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => tests.kill('SIGKILL'));
  const [code] = (await once(tests, 'exit')) as [number | null];
  await takeDownOrphans(tmpdir());
  return code ?? 1;
}

async function whatIsMissing(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `they need Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0)
    return 'they need root, to boot hosts with a network of their own (sudo npm run test:fleet)';
  const absent = [];
  for (const program of NEEDED) if (!(await onPath(program))) absent.push(program);
  if (absent.length === 0) return undefined;
  return `${absent.join(', ')} not found (on Debian: apt-get install systemd-container mmdebstrap iproute2)`;
}

async function onPath(program: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const tries = folders.map((folder) => access(join(folder, program), constants.X_OK));
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}

process.exitCode = await main();
