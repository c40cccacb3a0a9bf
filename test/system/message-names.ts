import {
  type Ack,
  FromAgent,
  ToAgent,
  type LogPosition,
  type RunEvent,
} from '../../proto/gen/fraisier/v1/agent.js';
import type { Direction } from '../support/grpc-relay.js';

/** What has been heard so far of the runs, to name what is said of them. */
interface Heard {
  readonly phaseOf: Map<string, string>;
  readonly lastSeqOf: Map<string, number>;
}

/** Names of one message in a deployment's story; some have a name of their own beside that of their kind. */
export type NameMessage = (direction: Direction, message: Buffer) => readonly string[];

/** Names messages between one agent and controllers, in the order in which they pass. */
export function messageNames(): NameMessage {
  const heard: Heard = { phaseOf: new Map(), lastSeqOf: new Map() };
  return (direction, message) =>
    direction === 'up' ? ofAgent(heard, message) : ofController(heard, message);
}

function ofAgent({ phaseOf, lastSeqOf }: Heard, bytes: Buffer): readonly string[] {
  const { message } = FromAgent.decode(bytes);
  if (message?.$case === 'log') return ofLog('output', message.value);
  if (message?.$case !== 'event') return [message?.$case ?? 'nothing'];
  const { runId, seq, event } = message.value;
  if (event?.$case === 'runFinished') lastSeqOf.set(runId, seq);
  return [nameOfEvent(phaseOf.get(runId) ?? 'unknown', message.value)];
}

/** As people tell it: `prepare fetch has started`. */
export function nameOfEvent(phase: string, { event }: Pick<RunEvent, 'event'>): string {
  switch (event?.$case) {
    case 'runStarted':
      return `${phase} has started`;
    case 'stepStarted':
      return `${phase} ${event.value.step} has started`;
    case 'stepNote':
      return `${phase} ${event.value.step} notes ${event.value.code}`;
    case 'stepFinished':
      return `${phase} ${event.value.step} has finished`;
    case 'runFinished':
      return `${phase} has finished`;
    case undefined:
      return 'nothing';
  }
}

function ofController(heard: Heard, bytes: Buffer): readonly string[] {
  const { message } = ToAgent.decode(bytes);
  if (message?.$case === 'assignment') {
    const phase = nameOfPhase(message.value.phase);
    heard.phaseOf.set(message.value.runId, phase);
    return [`assignment of ${phase}`];
  }
  if (message?.$case === 'ack') return ofAck(heard, message.value);
  return message?.$case === 'logAck' ? ofLog('ack of output', message.value) : [message?.$case ?? 'nothing'];
}

function ofAck({ phaseOf, lastSeqOf }: Heard, { runId, seq }: Ack): readonly string[] {
  const kind = `ack of ${phaseOf.get(runId)}`;
  return seq === lastSeqOf.get(runId) ? [kind, `${kind} to its end`] : [kind];
}

/** `prepare`. */
export function nameOfPhase(phase: string): string {
  return phase.replace('PHASE_', '').toLowerCase();
}

/** Output of install comes in two parts at least. */
function ofLog(kind: string, { step, offset, ...more }: LogPosition & { readonly data?: Uint8Array }) {
  const begins = more.data === undefined ? offset < 1_000 : offset === 0;
  return [`${kind} of ${step}`, `${kind} of ${step}, ${begins ? 'its beginning' : 'more'}`];
}
