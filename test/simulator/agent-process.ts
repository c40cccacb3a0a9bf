import { pino, type Logger } from 'pino';
import type { Clock } from '../../agent/clock.js';
import { stayConnected, type ConnectionPorts } from '../../agent/connection.js';
import type { Disk } from '../../agent/disk.js';
import { Lease } from '../../agent/lease.js';
import { LiveFraises } from '../../agent/live.js';
import { answerQuestion } from '../../agent/questions.js';
import type { StartRenewal } from '../../agent/renewal.js';
import { Runs } from '../../agent/runs.js';
import type { Target } from '../../proto/gen/fraisier/v1/plan.js';
import { hostAnswers } from './host-answers.js';
import { Life } from './life.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';
import { scriptedSteps } from './scripted-steps.js';
import type { SimulatedHost } from './simulated-host.js';
import type { SimulatedNetwork } from './simulated-network.js';
import type { Software } from './software.js';

const STATE = '/var/lib/fraisier-agent';
const GRACE_MS = 10_000;
/** Timers are late at times, and nobody may count on them: so nothing is looked at many times a second. */
const SHORTEST_SLEEP_MS = 1_500;

export interface AgentSurroundings {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly software: Software;
  readonly noon: number;
  readonly logTo: (line: string) => void;
}

/** One start of the real agent on a simulated host. */
export class AgentProcess {
  readonly life: Life;
  readonly runs: Runs;
  readonly lease: Lease;
  readonly #leave = new AbortController();
  #over = false;

  /** `exited` is told when it ends by itself. */
  constructor(host: SimulatedHost, number: number, around: AgentSurroundings, exited: () => void) {
    const life = new Life(around.schedule);
    const clock = clockOf(host, life, around);
    const disk = host.disk.seenBy(life);
    const lease = new Lease(clock);
    const logger = loggerOf(life, around);
    const common = { clock, disk, lease, bootId: host.bootId, logger };
    const runs = new Runs({
      ...common,
      stateFolder: STATE,
      systemd: null,
      exec: host.processes.seenBy(life),
      graceMs: GRACE_MS,
      runStep: scriptedSteps(host, around.software),
      loadPolicy: () => life.now(EVERYTHING),
      checkPolicy: () => life.now(null),
      liveRelease: (target) => life.now(host.installed(target).live),
      originOf: () => Promise.resolve(''),
    });
    const ports = {
      ...common,
      ...connectionPorts(host, number, life, disk, clock, around),
      runs,
    };
    [this.life, this.runs, this.lease] = [life, runs, lease];
    this.#serve(ports).catch((error: unknown) => {
      logger.error({ err: error }, 'the agent broke');
      life.end(around.random);
      exited();
    });
  }

  /** Whether it was told to stop and has, or has died. */
  get over(): boolean {
    return this.#over || !this.life.alive;
  }

  /** SIGTERM. */
  stop(): void {
    this.#leave.abort();
  }

  async #serve(ports: ConnectionPorts): Promise<void> {
    await ports.runs.open();
    await stayConnected(ports, this.#leave.signal);
    await ports.runs.leave();
    this.#over = true;
  }
}

const EVERYTHING = {
  file: 'policy.yaml',
  repositories: [],
  paths: [],
  units: [],
  unit_files: [],
  users: [],
  commands: [],
};

function connectionPorts(
  host: SimulatedHost,
  number: number,
  life: Life,
  disk: Disk,
  clock: Clock,
  { random, network, software }: AgentSurroundings,
): Omit<ConnectionPorts, 'disk' | 'clock' | 'lease' | 'runs' | 'bootId' | 'logger'> {
  const fraises = new LiveFraises({ disk, look: (target) => life.now(look(host, target)) }, STATE);
  const asks = hostAnswers(host, software, life);
  return {
    instanceId: `${host.name}-${number}`,
    agentVersion: '0.0.0',
    random: () => random.next(),
    dial: network.dialFrom(host.name, life),
    addresses: () => life.now(host.controllers),
    live: () => fraises.list(),
    remember: (target) => fraises.remember(target),
    answer: (question, signal) => answerQuestion({ asks, clock }, question, signal),
    learnControllers: (addresses) =>
      life.work(1, () => {
        host.controllers = addresses;
      }),
    startRenewal: NO_RENEWAL,
  };
}

/** Certificates are left out: theirs is real cryptography, which cannot be replayed. */
const NO_RENEWAL: StartRenewal = () => ({
  stored: new Promise<void>(() => undefined),
  answered: () => undefined,
});

function look(host: SimulatedHost, target: Target): { release: string; provenGood: boolean; origin: string } {
  const { live, proven } = host.installed(target);
  return { release: live, provenGood: proven.has(live), origin: '' };
}

function clockOf(host: SimulatedHost, life: Life, { schedule, noon }: AgentSurroundings): Clock {
  return {
    now: () => new Date(noon + schedule.nowMs + host.clockOffMs),
    uptimeMs: () => host.uptimeMs(),
    sleep: (ms, signal) => life.sleep(ms === 0 ? 0 : Math.max(SHORTEST_SLEEP_MS, ms), signal),
  };
}

function loggerOf(life: Life, { logTo }: AgentSurroundings): Logger {
  return pino(
    { level: 'warn', base: null, timestamp: false },
    { write: (line) => (life.alive ? logTo(line) : undefined) },
  );
}
