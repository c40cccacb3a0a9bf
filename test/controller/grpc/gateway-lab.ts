import { credentials, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterRealTime, type Edges } from '../../../controller/deployments/edges.js';
import { makePlan } from '../../../controller/deployments/plan.js';
import type { GatewayEdges, Patience } from '../../../controller/grpc/gateway-edges.js';
import { openServerIdentity } from '../../../controller/grpc/server-identity.js';
import { startAgentsPort, type Bound } from '../../../controller/grpc/server.js';
import { newId } from '../../../controller/ids.js';
import {
  readSigningRequest,
  type CertificateAuthority,
} from '../../../controller/pki/certificate-authority.js';
import { AgentGatewayClient, type FromAgent, type ToAgent } from '../../../proto/gen/fraisier/v1/agent.js';
import { PROTOCOL_VERSION } from '../../../proto/protocol-version.js';
import { anEnvironment, COMMIT, NOON } from '../../support/builders.js';
import { memoryLedger, type MemoryLedger } from '../../support/memory-ledger.js';
import { until } from '../../support/until.js';
import { anAuthority, aSigningRequest } from '../pki/support.js';
import { newDeployment } from '../db/samples.js';

export interface Credentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** The agents' port over a ledger in memory, with real certificates. */
export interface GatewayLab extends MemoryLedger {
  readonly edges: Edges;
  readonly authority: CertificateAuthority;
  readonly port: Bound;
  /** Lines the gateway logged. */
  readonly logged: readonly string[];
  /** Enrols an agent; `issuedAt` backdates its certificate. */
  enrol(name: string, issuedAt?: Date): Promise<Credentials>;
  certificate(name: string, issuedAt?: Date): Promise<Credentials>;
  connect(who: Credentials | null): RawAgent;
  /** Connects and says hello. */
  greet(
    who: Credentials | null,
    more?: { protocolVersion?: number; runs?: { runId: string; lastSeq: number }[] },
  ): RawAgent;
}

export interface LabOptions {
  readonly leaseMs?: number;
  readonly patience?: Partial<Patience>;
  readonly change?: (edges: Edges) => Edges;
}

export async function withGateway(
  work: (lab: GatewayLab) => Promise<void>,
  options: LabOptions = {},
): Promise<void> {
  const memory = memoryLedger(() => new Date());
  const authority = await anAuthority();
  const logged: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const plain = {
    ...memory,
    newId,
    environment: {},
    after: afterRealTime,
    leaseMs: options.leaseMs ?? 30_000,
  };
  const edges = options.change?.(plain) ?? plain;
  const patience = { helloMs: 5_000, dispatchMs: 5_000, drainMs: 50, ...options.patience };
  const identity = await openServerIdentity({
    authority,
    names: ['127.0.0.1', 'localhost'],
    after: afterRealTime,
    now: () => new Date(),
    logger,
  });
  const deps: GatewayEdges = {
    edges,
    authority,
    logger,
    patience,
    controllerId: 'c_1',
    controllers: (seenAs) => Promise.resolve([`${seenAs}:9091`]),
  };
  const port = await startAgentsPort(deps, identity, '127.0.0.1:0');
  const agents: RawAgent[] = [];
  const certificate = async (name: string, issuedAt = new Date()): Promise<Credentials> => {
    const { csrPem, privateKeyPem } = await aSigningRequest();
    const { certificatePem } = await authority.issueAgent(name, await readSigningRequest(csrPem), issuedAt);
    return { certificatePem, privateKeyPem };
  };
  const connect = (who: Credentials | null): RawAgent => {
    const agent = new RawAgent(port.address, authority.certificatePem, who);
    agents.push(agent);
    return agent;
  };
  const lab: GatewayLab = {
    ...memory,
    edges,
    authority,
    port,
    logged,
    certificate,
    connect,
    enrol: async (name, issuedAt) => {
      await memory.ledger.enrolAgent({
        name,
        labels: {},
        certificateSerial: '01',
        certificateExpiresAt: new Date(Date.now() + 1e6),
      });
      return certificate(name, issuedAt);
    },
    greet: (who, more = {}) => {
      const agent = connect(who);
      agent.say({ $case: 'hello', value: aHello(more) });
      return agent;
    },
  };
  try {
    await work(lab);
  } finally {
    for (const agent of agents) agent.close();
    await port.close();
    identity.close();
  }
}

type Said = NonNullable<FromAgent['message']>;
type Told = NonNullable<ToAgent['message']>;
type Value<Case extends Told['$case']> = Extract<Told, { $case: Case }>['value'];

/** An agent without any sense of its own: says what the test says, keeps what it is told. */
export class RawAgent {
  readonly told: Told[] = [];
  ended = false;
  error: ServiceError | undefined;
  readonly #client: AgentGatewayClient;
  readonly #stream: ClientDuplexStream<FromAgent, ToAgent>;

  constructor(address: string, authorityPem: string, who: Credentials | null) {
    const [key, certificate] = [who?.privateKeyPem, who?.certificatePem].map((pem) =>
      pem ? Buffer.from(pem) : null,
    );
    const tls = credentials.createSsl(Buffer.from(authorityPem), key ?? null, certificate ?? null);
    this.#client = new AgentGatewayClient(`localhost:${address.split(':').at(-1)}`, tls);
    this.#stream = this.#client.connect();
    this.#stream.on(
      'data',
      ({ message }: ToAgent) => void (message !== undefined && this.told.push(message)),
    );
    this.#stream.on('error', (error: ServiceError) => (this.error = error));
    this.#stream.on('end', () => (this.ended = true));
  }

  say(message: Said): void {
    this.#stream.write({ message });
  }

  /** Says it and waits until the line has taken it, which it does not while nobody reads at the other end. */
  pour(message: Said): Promise<void> {
    return new Promise((resolve) => this.#stream.write({ message }, () => resolve()));
  }

  hangUp(): void {
    this.#stream.end();
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  all<Case extends Told['$case']>(kind: Case): readonly Value<Case>[] {
    return this.told.filter((message) => message.$case === kind).map(({ value }) => value as Value<Case>);
  }

  /** Waits for the `count`-th message of this kind. */
  async hear<Case extends Told['$case']>(kind: Case, count = 1): Promise<Value<Case>> {
    const enough = () => (this.all(kind).length >= count ? this.all(kind) : null);
    const heard = await until(`${count} × ${kind}`, enough, { everyMs: 5, timeoutMs: 8_000 });
    const last = heard[count - 1];
    if (last === undefined) throw new Error(`no ${kind}`);
    return last;
  }

  /** Waits for the end of the stream; returns the goodbye it ended with. */
  async goodbye(): Promise<Value<'goodbye'>> {
    const goodbye = await this.hear('goodbye');
    await until('the end of the stream', () => this.ended, { everyMs: 5 });
    return goodbye;
  }
}

export function aHello(more: { protocolVersion?: number; runs?: { runId: string; lastSeq: number }[] } = {}) {
  const { protocolVersion = PROTOCOL_VERSION, runs = [] } = more;
  return { protocolVersion, agentVersion: '0.1.0', bootId: 'b', instanceId: 'i', runs, live: [] };
}

/** A running deployment with one run of `prepare` for this host. */
export async function aPendingRun({ ledger }: MemoryLedger, host: string, runId = 'r_1'): Promise<void> {
  const deploymentId = `d_of_${runId}`;
  await ledger.insertDeployment(newDeployment({ id: deploymentId, fraise: `checkout-${runId}` }));
  const plan = makePlan({
    environment: anEnvironment(),
    commit: COMMIT,
    ref: 'main',
    hosts: [host],
    madeAt: NOON,
  });
  await ledger.moveDeployment(deploymentId, 'queued', 'running', { plan, started: true });
  const steps = plan.phases[0]?.steps ?? [];
  await ledger.insertRun({
    id: runId,
    deploymentId,
    host,
    phase: 'prepare',
    attempt: 1,
    steps,
    commit: COMMIT,
  });
}

export function runStarted(runId: string, seq: number): Said {
  return {
    $case: 'event',
    value: { runId, seq, at: new Date(), event: { $case: 'runStarted', value: { bootId: 'b' } } },
  };
}
