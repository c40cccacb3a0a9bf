import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProgramSpec {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Both streams are appended here, over all its lives. */
  readonly logFile: string;
  /** Resolves once the program does its work; called after every start. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
}

/** A real program as a child process that can be killed and started again. */
export class Program {
  readonly #spec: ProgramSpec;
  #child: ChildProcess | undefined;
  #exit: Promise<unknown> = Promise.resolve();

  constructor(spec: ProgramSpec) {
    this.#spec = spec;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Of the running process; throws when it is not running. */
  get pid(): number {
    const pid = this.running ? this.#child?.pid : undefined;
    if (pid === undefined) throw new Error(`${this.#spec.name} is not running`);
    return pid;
  }

  /** Starts it and waits until it is ready. Throws, with the end of its log, when it exits before that. */
  async start(more: { readonly environment?: Readonly<Record<string, string>> } = {}): Promise<void> {
    this.launch(more);
    await this.ready();
  }

  /** Starts it without waiting for anything. */
  launch(more: { readonly environment?: Readonly<Record<string, string>> } = {}): void {
    if (this.running) throw new Error(`${this.#spec.name} runs already`);
    const [command, ...args] = this.#spec.argv;
    const log = openSync(this.#spec.logFile, 'a');
    this.#child = spawn(command, args, {
      cwd: this.#spec.cwd,
      env: { ...this.#spec.environment, ...more.environment },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#exit = once(this.#child, 'exit').catch(() => undefined);
  }

  /** Waits until it does its work; throws, with the end of its log, when it exits before that. */
  async ready(): Promise<void> {
    const child = this.#child;
    const watch = new AbortController();
    const exited = this.#exited().then(async () => {
      if (this.#child !== child || watch.signal.aborted) return;
      throw new Error(
        `${this.#spec.name} ended (${this.#howItEnded()}) before it was ready:\n${await this.logTail()}`,
      );
    });
    try {
      await Promise.race([exited, this.#spec.ready(watch.signal)]);
    } catch (error) {
      if (!this.running) throw error;
      throw new Error(`${this.#spec.name} is not ready:\n${await this.logTail()}`, { cause: error });
    } finally {
      watch.abort();
    }
  }

  /** Sends a signal to the process alone, not to what it started. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** SIGKILL; returns once the process is gone. What it started lives on. */
  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited();
  }

  /** SIGTERM, and SIGKILL after `graceMs`. Returns the exit code, or null when a signal ended it. */
  async stop(graceMs = 10_000): Promise<number | null> {
    if (!this.running) return this.#child?.exitCode ?? null;
    this.signal('SIGTERM');
    const giveUp = new AbortController();
    const grace = sleep(graceMs, 'late', { signal: giveUp.signal }).catch(() => 'stopped');
    if ((await Promise.race([this.#exited(), grace])) === 'late') await this.kill9();
    giveUp.abort();
    return this.#child?.exitCode ?? null;
  }

  /** The last lines it wrote, long ones cut. */
  async logTail(lines = 15): Promise<string> {
    const text = await readFile(this.#spec.logFile, 'utf8').catch(() => '');
    const last = text.trimEnd().split('\n').slice(-lines);
    return last.map((line) => (line.length > 400 ? `${line.slice(0, 400)} …` : line)).join('\n');
  }

  async #exited(): Promise<void> {
    if (this.running) await this.#exit;
  }

  #howItEnded(): string {
    return `exit code ${this.#child?.exitCode ?? 'none'}, signal ${this.#child?.signalCode ?? 'none'}`;
  }
}
