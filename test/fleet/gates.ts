import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../support/until.js';
import type { Gate } from '../system/gated-service.js';
import type { Host } from './lab/host.js';

/** Where they are on every host. */
export const GATES = '/srv/gates';

/** The gates of one host: commands of its service stand still at a closed one. They can be worked while it is off or cut off. */
export class Gates<Name extends string = Gate> {
  readonly #folder: string;

  constructor(host: Host, folder = GATES) {
    this.#folder = join(host.root, folder);
  }

  async close(gate: Name): Promise<void> {
    await writeFile(this.#file(gate, 'closed'), '');
  }

  async open(gate: Name): Promise<void> {
    await rm(this.#file(gate, 'closed'), { force: true });
  }

  /** Until somebody stands at the closed gate. */
  async entered(gate: Name): Promise<void> {
    const there = () => existsSync(this.#file(gate, 'entered'));
    await until(`somebody at the gate ${gate}`, there, { everyMs: 20, timeoutMs: 60_000 });
  }

  /** How often the command was begun since `reset`. */
  async begun(gate: Name): Promise<number> {
    return (await readFile(this.#file(gate, 'begun'), 'utf8').catch(() => '')).length;
  }

  /** Opens every gate and forgets every count. */
  async reset(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => /\.(?:closed|entered|begun)$/.test(name));
    for (const name of names) await rm(join(this.#folder, name), { force: true });
  }

  #file(gate: Name, what: string): string {
    return join(this.#folder, `${gate}.${what}`);
  }
}
