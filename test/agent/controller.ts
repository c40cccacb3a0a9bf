import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  AgentGatewayClient,
  AgentGatewayService,
  type Answer,
  type RunRefused,
  type Assignment,
  type FromAgent,
  type Hello,
  type LogChunk,
  type RunEvent,
  type ToAgent,
  type Welcome,
} from '../../proto/gen/fraisier/v1/agent.js';
import { RunEvent as RunEventCodec } from '../../proto/gen/fraisier/v1/agent.js';
import { openStream } from '../../agent/dial.js';
import type { Dial } from '../../agent/transport.js';

type Call = ServerDuplexStream<FromAgent, ToAgent>;
type Message = NonNullable<FromAgent['message']>;

/** What the record has of one run. */
export class RecordedRun {
  readonly events: RunEvent[] = [];
  readonly logs = new Map<string, Buffer>();
  readonly truncated = new Set<string>();

  get seq(): number {
    return this.events.at(-1)?.seq ?? 0;
  }

  /** Throws on anything a controller would refuse. */
  event(event: RunEvent): void {
    const known = this.events.find(({ seq }) => seq === event.seq);
    if (known === undefined && event.seq !== this.seq + 1)
      throw new Error(`gap: ${event.seq} after ${this.seq}`);
    if (known === undefined) this.events.push(event);
    else if (!same(known, event)) throw new Error(`conflict at ${event.seq}`);
  }

  log({ step, attempt, offset, data, truncated }: LogChunk): number {
    const key = `${step}.${attempt}`;
    const before = this.logs.get(key) ?? Buffer.alloc(0);
    if (offset > before.length) throw new Error(`log gap in ${key}: ${offset} after ${before.length}`);
    const over = this.events.some(
      ({ event }) => event?.$case === 'stepFinished' && `${event.value.step}.${event.value.attempt}` === key,
    );
    if (over && offset + data.length > before.length) throw new Error(`output of ${key} after its end`);
    this.logs.set(key, Buffer.concat([before, data.subarray(before.length - offset)]));
    if (truncated) this.truncated.add(key);
    return Math.max(before.length, offset + data.length);
  }
}

/**
 * A controller of one process that speaks the protocol over real gRPC, without TLS, behind a wire that can be cut. Its
 * record outlives its streams, as the real one's does.
 */
export class TestController {
  readonly runs = new Map<string, RecordedRun>();
  readonly hellos: Hello[] = [];
  readonly answers: Answer[] = [];
  readonly refusals: RunRefused[] = [];
  readonly problems: string[] = [];
  /** Assignments handed out after every welcome, as long as they have not started. */
  readonly work: Assignment[] = [];
  leaseMs = 30_000;
  welcome: Partial<Welcome> = {};
  abandoned = new Set<string>();
  /** Whether pings are answered, and events acknowledged. */
  answersPings = true;
  acknowledges = true;
  /** Called with every message in either direction before it counts; true: the wire is cut instead. */
  cutAt: (direction: 'in' | 'out' | 'stored', message: string) => boolean = () => false;
  streams = 0;
  call: Call | null = null;
  readonly #credentials: ServerCredentials;
  readonly #server = new Server();
  readonly #sockets = new Set<Socket>();
  #wire: NetServer | null = null;
  #port = 0;

  constructor(secure: ServerCredentials = ServerCredentials.createInsecure()) {
    this.#credentials = secure;
  }

  async start(): Promise<void> {
    this.#server.addService(AgentGatewayService, { connect: (call: Call) => this.#talk(call) });
    const grpcPort = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', this.#credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#wire = createServer((socket) => this.#join(socket, connect(grpcPort, '127.0.0.1')));
    this.#wire.listen(0, '127.0.0.1');
    await once(this.#wire, 'listening');
    this.#port = (this.#wire.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.forceShutdown();
    this.cut();
    this.#wire?.close();
    if (this.#wire !== null) await once(this.#wire, 'close');
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  readonly dial: Dial = (address) =>
    Promise.resolve(
      openStream(
        new AgentGatewayClient(address, credentials.createInsecure(), {
          'grpc.use_local_subchannel_pool': 1,
        }),
      ),
    );

  /** The wire is cut without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  run(runId = 'r_1'): RecordedRun {
    const run = this.runs.get(runId) ?? new RecordedRun();
    this.runs.set(runId, run);
    return run;
  }

  say(message: NonNullable<ToAgent['message']>): void {
    if (this.cutAt('out', message.$case)) this.cut();
    else this.call?.write({ message });
  }

  assign(assignment: Assignment): void {
    this.work.push(assignment);
    this.say({ $case: 'assignment', value: assignment });
  }

  #join(agent: Socket, server: Socket): void {
    for (const [from, to] of [
      [agent, server],
      [server, agent],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  }

  #talk(call: Call): void {
    this.streams += 1;
    this.call = call;
    call.on('error', () => undefined);
    call.on('data', ({ message }: FromAgent) => {
      if (message === undefined || this.call !== call) return;
      if (this.cutAt('in', message.$case)) {
        this.call = null;
        this.cut();
        return;
      }
      try {
        this.#take(message);
      } catch (error) {
        this.problems.push(String(error));
        call.end();
      }
    });
    call.on('end', () => call.end());
  }

  #take(message: Message): void {
    switch (message.$case) {
      case 'hello':
        return this.#greet(message.value);
      case 'ping':
        if (this.answersPings) this.say({ $case: 'pong', value: message.value });
        return;
      case 'event':
        return this.#record(message.value);
      case 'log': {
        const { runId, step, attempt } = message.value;
        const offset = this.run(runId).log(message.value);
        if (this.cutAt('stored', 'log')) return this.cut();
        if (this.acknowledges) this.say({ $case: 'logAck', value: { runId, step, attempt, offset } });
        return;
      }
      case 'answer':
        this.answers.push(message.value);
        return;
      case 'refused':
        this.refusals.push(message.value);
        return;
      case 'renew':
        return;
    }
  }

  #record(event: RunEvent): void {
    this.run(event.runId).event(event);
    if (this.cutAt('stored', event.event?.$case ?? '')) return this.cut();
    if (this.acknowledges) this.say({ $case: 'ack', value: { runId: event.runId, seq: event.seq } });
  }

  #greet(hello: Hello): void {
    this.hellos.push(hello);
    const resume = hello.runs.map(({ runId }) => ({
      runId,
      seq: this.run(runId).seq,
      logs: [...this.run(runId).logs].map(([key, bytes]) => {
        const [step = '', attempt] = key.split('.');
        return { step, attempt: Number(attempt), offset: bytes.length };
      }),
      abandoned: this.abandoned.has(runId),
    }));
    const value = {
      protocolVersion: 1,
      agentName: 'web-1',
      epoch: this.streams,
      leaseMs: this.leaseMs,
      resume,
      controllers: [],
      ...this.welcome,
    };
    this.say({ $case: 'welcome', value });
    for (const assignment of this.work) {
      if (this.run(assignment.runId).seq === 0) this.say({ $case: 'assignment', value: assignment });
    }
  }
}

function same(one: RunEvent, other: RunEvent): boolean {
  return Buffer.from(RunEventCodec.encode(one).finish()).equals(RunEventCodec.encode(other).finish());
}
