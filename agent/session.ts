import type { Logger } from 'pino';
import type {
  Answer,
  Assignment,
  Hello,
  LiveFraise,
  Question,
  ToAgent,
  Welcome,
} from '../proto/gen/fraisier/v1/agent.js';
import type { Reason, Target } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import { PROTOCOL_VERSION, protocolMismatch } from '../proto/protocol-version.js';
import { whenAborted } from './aborting.js';
import type { Clock } from './clock.js';
import type { Disk } from './disk.js';
import { Heartbeat } from './heartbeat.js';
import type { Lease } from './lease.js';
import type { StartRenewal, Renewal } from './renewal.js';
import type { RunFolder } from './run-folder.js';
import type { Runs } from './runs.js';
import { Sender } from './sender.js';
import { isCode } from './steps/ends.js';
import type { ControllerStream } from './transport.js';

/** How long a controller may take to answer Hello. */
const WELCOME_MS = 15_000;

export interface SessionPorts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly lease: Lease;
  readonly runs: Runs;
  readonly bootId: string;
  /** New for every start of the agent's process. */
  readonly instanceId: string;
  readonly agentVersion: string;
  /** What is live on the host, for Hello. */
  readonly live: () => Promise<readonly LiveFraise[]>;
  /** Remembers what assignments are about, for `live`. */
  readonly remember: (target: Target) => Promise<void>;
  readonly answer: (question: Question, signal: AbortSignal) => Promise<Answer>;
  /** Addresses of every controller, as this one knows them. */
  readonly learnControllers: (addresses: readonly string[]) => Promise<void>;
  readonly startRenewal: StartRenewal;
  readonly logger: Logger;
}

/** Why a session ended. */
export type SessionEnd =
  | { readonly because: 'goodbye'; readonly reason: Reason; readonly retry: boolean }
  | { readonly because: 'broken'; readonly reason: Reason }
  | { readonly because: 'drained' | 'renewed' | 'left' };

/**
 * The conversation of agent.proto over one stream, from Hello to its end; `held` tells whether the controller answered a
 * Ping. Runs are not touched by its end. Never throws: what goes wrong is an end.
 */
export async function converse(
  ports: SessionPorts,
  stream: ControllerStream,
  signal: AbortSignal,
): Promise<SessionEnd & { readonly held: boolean }> {
  const session = new Session(ports, stream);
  const stopListening = whenAborted(signal, () => session.finish({ because: 'left' }));
  try {
    await session.greet();
    for await (const message of stream.messages) {
      await session.take(message);
      if (session.ended) break;
    }
    session.finish({
      because: 'broken',
      reason: reason('controller_away', 'the controller closed the stream'),
    });
  } catch (error) {
    session.finish({ because: 'broken', reason: reasonOf(error) });
  } finally {
    stopListening();
  }
  return session.end();
}

class Session {
  readonly #ports: SessionPorts;
  readonly #stream: ControllerStream;
  readonly #over = new AbortController();
  readonly #senders = new Map<string, Sender>();
  #helloSentAtMs = 0;
  #heartbeat: Heartbeat | null = null;
  #renewal: Renewal | null = null;
  #end: SessionEnd | null = null;

  constructor(ports: SessionPorts, stream: ControllerStream) {
    this.#ports = ports;
    this.#stream = stream;
  }

  get ended(): boolean {
    return this.#end !== null;
  }

  end(): SessionEnd & { readonly held: boolean } {
    if (this.#end === null) throw new FraisierError('internal', 'the session has not ended');
    return { ...this.#end, held: this.#heartbeat?.answered ?? false };
  }

  /** The first reason wins. */
  finish(end: SessionEnd): void {
    this.#end ??= end;
    this.#over.abort(new FraisierError('controller_away', 'the stream is over'));
    this.#stream.close();
  }

  async greet(): Promise<void> {
    const { clock, runs } = this.#ports;
    const hello: Hello = {
      protocolVersion: PROTOCOL_VERSION,
      agentVersion: this.#ports.agentVersion,
      bootId: this.#ports.bootId,
      instanceId: this.#ports.instanceId,
      runs: runs.unfinished().map(({ folder }) => ({ runId: folder.runId, lastSeq: folder.journal.lastSeq })),
      live: [...(await this.#ports.live())],
    };
    this.#helloSentAtMs = clock.uptimeMs();
    this.#inBackground(this.#awaitWelcome());
    await this.#stream.send({ $case: 'hello', value: hello });
  }

  /** One message of the controller, taken in whole before the next. */
  async take({ message }: ToAgent): Promise<void> {
    if (message === undefined) return;
    if (this.#heartbeat === null && message.$case !== 'welcome' && message.$case !== 'goodbye') {
      throw new FraisierError(
        'protocol_violation',
        `the controller sent ${message.$case} before its welcome`,
      );
    }
    switch (message.$case) {
      case 'welcome':
        return this.#welcomed(message.value);
      case 'pong':
        return this.#heartbeat?.pong(message.value.number);
      case 'assignment':
        return this.#assigned(message.value);
      case 'ack':
        return this.#ports.runs.acknowledge(message.value.runId, message.value.seq);
      case 'logAck':
        return this.#senders.get(message.value.runId)?.logAcknowledged(message.value);
      case 'cancel':
        return this.#ports.runs.cancel(
          message.value.runId,
          message.value.reason ?? reason('cancelled', 'cancelled'),
        );
      case 'question':
        return this.#inBackground(this.#answer(message.value));
      case 'renewed':
        return this.#renewal?.answered(message.value);
      case 'drain':
        return this.#inBackground(this.#drain());
      case 'goodbye':
        return this.finish({
          because: 'goodbye',
          reason: message.value.reason ?? unexplained(),
          retry: message.value.retry,
        });
    }
  }

  async #welcomed(welcome: Welcome): Promise<void> {
    const mismatch = protocolMismatch(welcome.protocolVersion, 'agent', 'controller');
    if (mismatch !== undefined)
      return this.finish({ because: 'goodbye', reason: reason('protocol_mismatch', mismatch), retry: false });
    if (this.#heartbeat !== null)
      throw new FraisierError('protocol_violation', 'the controller sent a second welcome');
    const { runs, lease } = this.#ports;
    this.#heartbeat = new Heartbeat(this.#ports, welcome.leaseMs);
    // Before the lease: a run that was given up must not begin anything under it.
    for (const resume of welcome.resume) await runs.resume(resume);
    lease.renew(this.#helloSentAtMs, welcome.leaseMs);
    this.#inBackground(this.#heartbeat.run(this.#stream.send, this.#over.signal));
    for (const { folder } of runs.unfinished()) this.#startSender(folder, welcome);
    await this.#ports.learnControllers(welcome.controllers);
    this.#renewal = this.#ports.startRenewal(this.#stream.send, this.#over.signal);
    this.#inBackground(this.#renewal.stored.then(() => this.finish({ because: 'renewed' })));
    this.#ports.logger.info({ name: welcome.agentName, epoch: welcome.epoch }, 'connected');
  }

  async #assigned(assignment: Assignment): Promise<void> {
    const { runs } = this.#ports;
    try {
      if (assignment.target !== undefined) await this.#ports.remember(assignment.target);
      await runs.accept(assignment);
    } catch (error) {
      const refusal = { runId: assignment.runId, reason: reasonOfDisk(error) };
      return this.#stream.send({ $case: 'refused', value: refusal });
    }
    const run = runs.get(assignment.runId);
    if (run !== undefined && !this.#senders.has(assignment.runId)) this.#startSender(run.folder, null);
  }

  #startSender(folder: RunFolder, welcome: Welcome | null): void {
    const { disk, clock } = this.#ports;
    const committed = welcome?.resume.find(({ runId }) => runId === folder.runId) ?? { seq: 0, logs: [] };
    const sender = new Sender({ disk, clock, send: this.#stream.send }, folder, committed);
    this.#senders.set(folder.runId, sender);
    const sending = sender.run(AbortSignal.any([this.#over.signal, folder.over])).catch((error: unknown) => {
      if (!folder.over.aborted) throw error;
    });
    this.#inBackground(sending.finally(() => this.#senders.delete(folder.runId)));
  }

  async #answer(question: Question): Promise<void> {
    const answer = await this.#ports.answer(question, this.#over.signal);
    await this.#stream.send({ $case: 'answer', value: answer });
  }

  /** No new work will come: goes elsewhere once everything is reported. */
  async #drain(): Promise<void> {
    const { runs } = this.#ports;
    for (let { version } = runs.changed; runs.unfinished().length > 0; { version } = runs.changed) {
      await runs.changed.wait(version, this.#over.signal);
    }
    this.finish({ because: 'drained' });
  }

  async #awaitWelcome(): Promise<void> {
    await this.#ports.clock.sleep(WELCOME_MS, this.#over.signal);
    if (this.#heartbeat === null)
      throw new FraisierError('controller_away', `no welcome within ${WELCOME_MS / 1000} s`);
  }

  /** What fails beside the conversation ends it, unless it has ended. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.finish({ because: 'broken', reason: reasonOf(error) }));
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof FraisierError) return error.reason;
  return reason('internal', error instanceof Error ? error.message : String(error));
}

/** What the disk said no to; anything that is not its word is thrown on. */
function reasonOfDisk(error: unknown): Reason {
  if (!(error instanceof Error) || !('errno' in error)) throw error;
  const code = isCode(error, 'ENOSPC', 'EDQUOT') ? 'disk_full' : 'preflight_failed';
  return reason(code, `the agent cannot write down what it is to do: ${error.message}`, {
    hint: "free space in the agent's state folder on this host, or make it writable, then deploy again",
  });
}

function unexplained(): Reason {
  return reason('controller_away', 'the controller said goodbye without a reason');
}
