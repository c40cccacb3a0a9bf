import { appendFile } from 'node:fs/promises';
import { whenAborted } from '../../agent/aborting.js';
import type { Exec, ExecEnd, ExecSpec } from '../../agent/exec/exec.js';
import { Wakeup } from '../../agent/wakeup.js';

type State = ExecEnd | { readonly ended: 'running' };

/** Commands that live in memory and outlive every agent of a test, as real ones outlive a real agent. */
export class FakeExec implements Exec {
  readonly kind: Exec['kind'];
  readonly started: string[] = [];
  readonly specs: ExecSpec[] = [];
  readonly stopped: string[] = [];
  readonly forgotten: string[] = [];
  /** What becomes of a command when it is started; by default it exits with 0 at once. */
  script: (spec: ExecSpec) => State = () => ({ ended: 'exited', exitCode: 0 });
  /** What it prints at its start. */
  prints: (spec: ExecSpec) => string = () => '';
  /** Whether SIGKILL works. */
  stoppable = true;
  readonly #states = new Map<string, State>();
  readonly #changed = new Wakeup();

  constructor(kind: Exec['kind'] = 'child_process') {
    this.kind = kind;
  }

  /** A command ends, or is found in a state by a later agent. */
  set(id: string, state: State): void {
    this.#states.set(id, state);
    this.#changed.notify();
  }

  async start(spec: ExecSpec): Promise<void> {
    this.started.push(spec.id);
    this.specs.push(spec);
    const text = this.prints(spec);
    if (text !== '') await appendFile(spec.captureFile ?? spec.outputFile, text);
    this.set(spec.id, this.script(spec));
  }

  async wait(spec: ExecSpec, signal: AbortSignal): Promise<ExecEnd> {
    for (let { version } = this.#changed; ; { version } = this.#changed) {
      signal.throwIfAborted();
      const state = await this.look(spec);
      if (state.ended !== 'running') return state;
      await this.#changed.wait(version, signal);
    }
  }

  look(spec: ExecSpec): Promise<State> {
    return Promise.resolve(this.#states.get(spec.id) ?? { ended: 'absent' });
  }

  async stop(spec: ExecSpec): Promise<void> {
    this.stopped.push(spec.id);
    if (!this.stoppable) return new Promise(() => undefined);
    if ((await this.look(spec)).ended === 'running')
      this.set(spec.id, { ended: 'signalled', signal: 'SIGTERM' });
  }

  forget(spec: ExecSpec): Promise<void> {
    this.forgotten.push(spec.id);
    this.#states.delete(spec.id);
    return Promise.resolve();
  }
}

/** Rejects when the signal aborts, and never otherwise. */
export function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    whenAborted(signal, () => reject(signal.reason as Error));
  });
}
