import type { ExecEnd, ExecSpec } from '../../agent/exec/exec.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { commandPlays } from './command-plays.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';
import { SimulatedDisk } from './simulated-disk.js';
import { SimulatedProcesses } from './simulated-processes.js';
import type { Installed } from './installed.js';
import type { Software } from './software.js';

/** Told of every command that begins or ends on a host. */
export interface Witness {
  readonly commandStarted: (host: string, spec: ExecSpec) => void;
  readonly commandEnded: (host: string, spec: ExecSpec, end: ExecEnd) => void;
  /** A step of this run stops the service, to start it again. */
  readonly serviceStops: (
    host: SimulatedHost,
    runId: string,
    target: Pick<Target, 'fraise' | 'environment'>,
  ) => void;
}

/** A server: what lies on its disk, what runs on it, what its clock says. It outlives every agent. */
export class SimulatedHost {
  readonly name: string;
  readonly disk: SimulatedDisk;
  readonly processes: SimulatedProcesses;
  readonly random: Random;
  readonly #schedule: Schedule;
  readonly #witness: Witness;
  readonly #installed = new Map<string, Installed>();
  #boots = 1;
  #bootedAtMs: number;
  /** By how much its clock differs from everybody's. */
  clockOffMs = 0;
  powered = true;
  /** As the agent was told last; it keeps them with its identity. */
  controllers: readonly string[] = [];

  constructor(
    name: string,
    parts: {
      readonly schedule: Schedule;
      readonly random: Random;
      readonly software: Software;
      readonly witness: Witness;
      readonly kind: SimulatedProcesses['kind'];
    },
  ) {
    this.name = name;
    this.random = parts.random;
    this.#schedule = parts.schedule;
    this.#witness = parts.witness;
    this.#bootedAtMs = parts.schedule.nowMs - this.random.whole(0, 86_400_000);
    this.disk = new SimulatedDisk(this.random.fork('disk'));
    this.processes = new SimulatedProcesses(parts.kind, {
      schedule: parts.schedule,
      random: this.random.fork('processes'),
      print: (path, text) => this.disk.appendAtOnce(path, Buffer.from(text)),
      playOf: commandPlays(parts.software, this.random.fork('commands'), (key) => this.installed(key)),
      onStart: (spec) => parts.witness.commandStarted(name, spec),
      onEnd: (spec, end) => parts.witness.commandEnded(name, spec, end),
    });
  }

  get bootId(): string {
    return `boot-${this.name}-${this.#boots}`;
  }

  uptimeMs(): number {
    return this.#schedule.nowMs - this.#bootedAtMs;
  }

  installed({ fraise, environment }: Pick<Target, 'fraise' | 'environment'>): Installed {
    const key = `${fraise} ${environment}`;
    const known = this.#installed.get(key);
    if (known !== undefined) return known;
    const fresh = { live: '', serving: '', proven: new Set<string>(), releases: new Set<string>() };
    this.#installed.set(key, fresh);
    return fresh;
  }

  /** systemd stops the service at once and starts what is live then, whatever becomes of who asked for it. */
  restart(runId: string, target: Pick<Target, 'fraise' | 'environment'>, downMs: number): void {
    const app = this.installed(target);
    const { bootId } = this;
    this.#witness.serviceStops(this, runId, target);
    app.serving = '';
    this.#schedule.after(downMs, () => {
      if (this.powered && this.bootId === bootId) app.serving = app.live;
    });
  }

  powerCut(): void {
    this.powered = false;
    this.processes.powerCut();
    this.disk.powerCut();
    for (const app of this.#installed.values()) app.serving = '';
  }

  /** systemd starts what is live again. */
  powerOn(): void {
    this.powered = true;
    this.#boots += 1;
    this.#bootedAtMs = this.#schedule.nowMs;
    for (const app of this.#installed.values()) app.serving = app.live;
  }
}
