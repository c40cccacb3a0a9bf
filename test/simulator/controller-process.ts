import { pino, type Logger } from 'pino';
import { startDriver, type Driver } from '../../controller/deployments/driver.js';
import { watchReturns, type ReturnWatch } from '../../controller/deployments/watch-returns.js';
import type { Edges } from '../../controller/deployments/edges.js';
import type { Configuration } from '../../controller/fraises/fraises.js';
import { agentGateway, type AgentGateway } from '../../controller/grpc/agent-gateway.js';
import { PATIENCE } from '../../controller/grpc/gateway-edges.js';
import type { CertificateAuthority } from '../../controller/pki/certificate-authority.js';
import { acceptInGroups } from '../../controller/webhooks/accept-deliveries.js';
import { configurationReader } from '../../controller/webhooks/current-configuration.js';
import type { Receiver } from '../../controller/webhooks/receive-delivery.js';
import { startSettling, type Settling } from '../../controller/webhooks/settle-pending.js';
import { Life } from './life.js';
import type { Schedule } from './schedule.js';
import type { SimulatedDatabase } from './simulated-database.js';
import type { SimulatedNetwork } from './simulated-network.js';

/** Slower than the real one: what it finds is found all the same, and most of it was found by wake-ups. */
const POLL_MS = 15_000;
const LEASE_MS = 30_000;

export interface ControllerSurroundings {
  readonly schedule: Schedule;
  readonly database: SimulatedDatabase;
  readonly network: SimulatedNetwork;
  /** Of the configurations that any of them parsed; only so that it costs less. */
  readonly parsed: Map<number, Configuration>;
  readonly newId: (prefix: string) => string;
  /** Of every controller. */
  readonly addresses: readonly string[];
  readonly logTo: (line: string) => void;
}

/** One start of the real controller: its driver, its port for agents, its settling of deliveries. */
export class ControllerProcess {
  readonly name: string;
  readonly life: Life;
  readonly edges: Edges;
  /** What its HTTP port hands deliveries to. */
  readonly receiver: Receiver;
  readonly #driver: Driver;
  readonly #settling: Settling;
  readonly #returns: ReturnWatch;
  readonly #gateway: AgentGateway;

  constructor(name: string, around: ControllerSurroundings) {
    const life = new Life(around.schedule);
    const { database, network, newId } = around;
    const logger = loggerOf(life, around);
    this.name = name;
    this.life = life;
    this.edges = {
      ledger: database.ledgerFor(life),
      waking: database.wakingFor(life),
      newId,
      environment: {},
      after: (ms, act) => life.after(ms, act),
      leaseMs: LEASE_MS,
      listening: { since: null },
      parsed: around.parsed,
    };
    this.receiver = {
      edges: this.edges,
      accept: acceptInGroups(this.edges),
      readConfiguration: configurationReader(around.parsed),
      onUnusableSecret: () => undefined,
      admit: () => undefined,
    };
    const onError = (error: unknown): void => logger.error({ err: error }, 'not advanced');
    this.#driver = startDriver(this.edges, { onError, pollMs: POLL_MS });
    this.#settling = startSettling(this.edges, { onError, pollMs: POLL_MS });
    this.#returns = watchReturns(this.edges, { onError, onCaughtUp: () => undefined, pollMs: POLL_MS });
    this.#gateway = agentGateway({
      edges: this.edges,
      authority: NO_AUTHORITY,
      logger,
      controllerId: name,
      controllers: () => life.now(around.addresses),
      patience: { ...PATIENCE, dispatchMs: POLL_MS },
    });
    network.listen(name, { life, connect: (call) => this.#gateway.service.connect(call) });
  }

  /** SIGTERM: agents are sent elsewhere first. */
  async stop(): Promise<void> {
    await Promise.all([
      this.#driver.stop(),
      this.#settling.stop(),
      this.#returns.stop(),
      this.#gateway.drain(),
    ]);
  }
}

/** Certificates are left out of the simulation. */
const NO_AUTHORITY = {} as CertificateAuthority;

function loggerOf(life: Life, { logTo }: ControllerSurroundings): Logger {
  return pino(
    { level: 'warn', base: null, timestamp: false },
    { write: (line) => (life.alive ? logTo(line) : undefined) },
  );
}
