import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CommandOutput } from '../support/run-command.js';
import type { Typed } from './warm-program.js';

/** The command line in a process that is started once: for the many runs whose start is not what they show. */
export class Warm {
  readonly #child: ChildProcess;
  #busy = false;

  static async start(environment: Readonly<Record<string, string | undefined>>): Promise<Warm> {
    const script = fileURLToPath(new URL('warm-program.js', import.meta.url));
    const child = fork(script, { env: environment, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(child, 'spawn');
    return new Warm(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** One at a time. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Throws when it takes longer than 15 s. */
  async run(typed: Typed): Promise<CommandOutput> {
    this.#busy = true;
    try {
      const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(15_000) });
      this.#child.send(typed);
      const [output] = (await answer) as [CommandOutput];
      return output;
    } finally {
      this.#busy = false;
    }
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill();
    await gone;
  }
}
