import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../support/until.js';
import { GATED, type Gate } from '../system/gated-service.js';
import type { Host } from './lab/host.js';

/** Where they are on every host. */
export const GATES = '/srv/gates';

/** The gates of one host: commands of its service stand still at a closed one. They can be worked while it is off or cut off. */
export class Gates {
  readonly #folder: string;

  constructor(host: Host) {
    this.#folder = join(host.root, GATES);
  }

  async close(gate: Gate): Promise<void> {
    await writeFile(this.#file(gate, 'closed'), '');
  }

  async open(gate: Gate): Promise<void> {
    await rm(this.#file(gate, 'closed'), { force: true });
  }

  /** Until somebody stands at the closed gate. */
  async entered(gate: Gate): Promise<void> {
    const there = () => existsSync(this.#file(gate, 'entered'));
    await until(`somebody at the gate ${gate}`, there, { everyMs: 20, timeoutMs: 60_000 });
  }

  /** How often the command was begun since `reset`. */
  async begun(gate: Gate): Promise<number> {
    return (await readFile(this.#file(gate, 'begun'), 'utf8').catch(() => '')).length;
  }

  /** Opens every gate and forgets every count. */
  async reset(): Promise<void> {
    for (const gate of [...GATED, 'health'] as const) {
      for (const what of ['closed', 'entered', 'begun']) await rm(this.#file(gate, what), { force: true });
    }
  }

  #file(gate: Gate, what: string): string {
    return join(this.#folder, `${gate}.${what}`);
  }
}
