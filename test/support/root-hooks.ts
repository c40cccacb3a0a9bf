import { createRequire } from 'node:module';
import type { RootHookObject, Runner } from 'mocha';
import { shareTestServer, stopTestServer } from './test-server.js';
import { until } from './until.js';

/** What keeps a process alive and can be told apart: children, servers and file watchers. Sockets close in their own time. */
const COUNTED = ['ProcessWrap', 'TCPServerWrap', 'PipeServerWrap', 'FSEvent'];

let before: ReadonlyMap<string, number> = new Map();

/** Before the workers of a parallel run start. A run without workers starts the server when a test asks for it. */
export async function mochaGlobalSetup(this: Runner & { isParallelMode(): boolean }): Promise<void> {
  if (!this.isParallelMode()) return;
  letWorkersEnd();
  await shareTestServer();
}

/** As they end they write what they covered, megabytes each; mocha's pool would kill them after a second. */
function letWorkersEnd(): void {
  const mocha = createRequire(import.meta.url).resolve('mocha');
  const workerpool = createRequire(mocha)('workerpool') as {
    pool: (script: string, options: object) => unknown;
  };
  const { pool } = workerpool;
  workerpool.pool = (script, options) => pool(script, { ...options, workerTerminateTimeout: 60_000 });
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer();
}

/** After every test: nothing it started may still be open. What a suite's own `before` opened does not count. */
export const mochaHooks: RootHookObject = {
  beforeEach() {
    before = openNow();
  },
  async afterEach() {
    const left = () => [...openNow()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    await until('what the test opened to be closed', () => left().length === 0, {
      timeoutMs: 2_000,
      everyMs: 10,
    }).catch(() => {
      throw new Error(
        `the test left open: ${left()
          .map(([kind, count]) => `${kind} (${count})`)
          .join(', ')}`,
      );
    });
  },
};

function openNow(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (COUNTED.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
