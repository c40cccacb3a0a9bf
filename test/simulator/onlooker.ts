import type { ExecEnd, ExecSpec } from '../../agent/exec/exec.js';
import type { FromAgent, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import type { Chronicle } from './chronicle.js';
import { Acknowledged } from './invariants/acknowledged.js';
import { NeverTwice } from './invariants/never-twice.js';
import { Rollout } from './invariants/rollout.js';
import { Records } from './invariants/records.js';
import { Serving, type Truth } from './invariants/serving.js';
import type { Eavesdropper } from './simulated-network.js';
import type { SimulatedHost, Witness } from './simulated-host.js';
import type { Pair } from './software.js';

/** Sees everything that happens, tells the chronicle, and holds it against what must always be true. */
export class Onlooker implements Witness, Eavesdropper {
  readonly acknowledged: Acknowledged;
  /** Told of the host where something has just happened. */
  lurk: (host: string, often: number) => void = () => undefined;
  readonly #chronicle: Chronicle;
  readonly #neverTwice: NeverTwice;
  readonly #records: Records;
  readonly #rollout: Rollout;
  readonly #serving: Serving;

  constructor(chronicle: Chronicle, truth: Truth) {
    const { state } = truth;
    this.#chronicle = chronicle;
    this.acknowledged = new Acknowledged(chronicle, state);
    this.#neverTwice = new NeverTwice(chronicle, state);
    this.#records = new Records(chronicle, state);
    this.#rollout = new Rollout(chronicle, state);
    this.#serving = new Serving(chronicle, truth);
  }

  /** After every event. */
  check(): void {
    this.#records.check();
    this.#neverTwice.check();
    this.#rollout.check();
    this.#serving.check();
  }

  commandStarted(host: string, spec: ExecSpec): void {
    this.#chronicle.tell(host, `starts ${spec.id}: ${spec.argv.join(' ')}`);
    this.#neverTwice.started(host, spec);
    this.lurk(host, spec.argv[0]?.startsWith('db-') === true ? 4 : 1);
  }

  commandEnded(host: string, spec: ExecSpec, end: ExecEnd): void {
    this.#chronicle.tell(host, `ended ${spec.id}: ${inWords(end)}`);
    this.#neverTwice.ended(spec);
    this.#records.ended(spec, end);
  }

  serviceStops(host: SimulatedHost, runId: string, pair: Pair): void {
    this.#chronicle.tell(host.name, `stops ${pair.fraise} ${pair.environment} for ${runId}`);
    this.#serving.stops(host, runId, pair);
  }

  fromAgent(host: string, controller: string, { message }: FromAgent): void {
    if (message?.$case === 'event') {
      this.acknowledged.sent(message.value);
      this.lurk(host, 0.2);
    }
    const told = message === undefined ? null : fromAgentInWords(message);
    if (told !== null) this.#chronicle.tell(host, `→ ${controller} ${told}`);
  }

  toAgent(host: string, controller: string, message: ToAgent): void {
    this.acknowledged.told(message);
    const told = toAgentInWords(message);
    if (told !== null) this.#chronicle.tell(controller, `→ ${host} ${told}`);
  }
}

function inWords(end: ExecEnd): string {
  if (end.ended === 'exited') return `exit ${end.exitCode}`;
  return end.ended === 'signalled' ? end.signal : end.ended;
}

function fromAgentInWords(message: NonNullable<FromAgent['message']>): string | null {
  switch (message.$case) {
    case 'ping':
      return null;
    case 'hello':
      return `hello, has ${message.value.runs.map(({ runId, lastSeq }) => `${runId}#${lastSeq}`).join(' ') || 'nothing'}`;
    case 'event': {
      const { runId, seq, event } = message.value;
      const value = { step: '', attempt: 0, outcome: '', ...event?.value };
      const step = value.step === '' ? '' : ` ${value.step}.${value.attempt}`;
      return `${runId}#${seq} ${event?.$case}${step} ${value.outcome}`.trimEnd();
    }
    case 'log':
      return `${message.value.runId} log ${message.value.step} ${message.value.offset}+${message.value.data.length}`;
    case 'answer':
      return `answer to ${message.value.questionId}: ${message.value.answer?.$case}`;
    case 'renew':
      return 'renew';
    case 'refused':
      return `refuses ${message.value.runId}`;
  }
}

function toAgentInWords({ message }: ToAgent): string | null {
  switch (message?.$case) {
    case undefined:
    case 'pong':
    case 'logAck':
    case 'renewed':
      return null;
    case 'welcome': {
      const runs = message.value.resume.map((run) => `${run.runId}#${run.seq}${run.abandoned ? '!' : ''}`);
      return `welcome, epoch ${message.value.epoch} ${runs.join(' ')}`.trimEnd();
    }
    case 'assignment':
      return `assignment ${message.value.runId} ${message.value.phase}`;
    case 'ack':
      return `ack ${message.value.runId}#${message.value.seq}`;
    case 'cancel':
      return `cancel ${message.value.runId}`;
    case 'question':
      return `question ${message.value.questionId}: ${message.value.question?.$case}`;
    case 'drain':
      return 'drain';
    case 'goodbye':
      return `goodbye: ${message.value.reason?.code}`;
  }
}
