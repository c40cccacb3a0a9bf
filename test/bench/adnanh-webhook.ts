import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../support/free-ports.js';
import { until } from '../support/until.js';

/**
 * Runs `work` beside adnanh/webhook (the Debian package `webhook`), which checks the same signature, stores nothing and
 * starts /bin/true; with null, and a line that says so, where it is not installed.
 */
export async function withAdnanhWebhook<T>(
  secret: string,
  work: (url: string | null) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-bench-'));
  const [port = 0] = await freePorts(1);
  const hooks = join(folder, 'hooks.json');
  await writeFile(hooks, JSON.stringify([hook(secret)]));
  const child = spawn('webhook', ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
  });
  const missing = new Promise<boolean>((resolve) =>
    child.on('error', () => resolve(true)).on('spawn', () => resolve(false)),
  );
  try {
    if (await missing) {
      process.stdout.write(
        'adnanh/webhook is not installed (apt-get install webhook): not measured beside it\n',
      );
      return await work(null);
    }
    const url = `http://127.0.0.1:${port}/hooks/push`;
    await until('webhook to listen', async () => (await fetch(url)).status > 0);
    return await work(url);
  } finally {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

function hook(secret: string): object {
  const parameter = { source: 'header', name: 'X-Hub-Signature-256' };
  return {
    id: 'push',
    'execute-command': '/bin/true',
    'success-http-response-code': 202,
    'trigger-rule': { match: { type: 'payload-hmac-sha256', secret, parameter } },
  };
}
