import { expect } from 'chai';
import { EventEmitter } from 'node:events';
import { AgentInbox, type AgentCall } from '../../../controller/grpc/agent-inbox.js';
import { handleMessages } from '../../../controller/grpc/agent-messages.js';
import type { Gateway } from '../../../controller/grpc/gateway-edges.js';
import { Mailbox } from '../../../controller/grpc/mailbox.js';
import { untilOneEnds } from '../../../controller/grpc/until-one-ends.js';
import { streamRuns } from '../../../controller/grpc/stream-runs.js';
import { openWakeSignal } from '../../../controller/grpc/wake-signal.js';
import { afterRealTime } from '../../../controller/deployments/edges.js';
import type { WakeTopic } from '../../../controller/deployments/ledger/outbox.js';
import type { FromAgent } from '../../../proto/gen/fraisier/v1/agent.js';
import { aHello } from './gateway-lab.js';

const never = new AbortController().signal;

/** A stream that a test feeds; remembers whether it was paused. */
class FedCall extends EventEmitter {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  feed(message: FromAgent['message']): void {
    this.emit('data', { message } satisfies FromAgent);
  }
}

function log(bytes: number): NonNullable<FromAgent['message']> {
  const value = { runId: 'r', step: 's', attempt: 1, offset: 0, data: Buffer.alloc(bytes), truncated: false };
  return { $case: 'log', value };
}

function fed(): { call: FedCall; inbox: AgentInbox } {
  const call = new FedCall();
  const inbox = new AgentInbox(call as unknown as AgentCall);
  call.feed({ $case: 'hello', value: aHello() });
  return { call, inbox };
}

describe('what an agent says', () => {
  it('stops being read when 256 messages or a megabyte wait, until they are taken', async () => {
    for (const [count, bytes] of [
      [256, 1],
      [4, 256 * 1024],
    ] as const) {
      const { call, inbox } = fed();
      for (let message = 1; message < count; message += 1) call.feed(log(bytes));
      expect(call.isPaused).to.equal(false);
      call.feed(log(bytes));
      expect([call.isPaused, inbox.isFull]).to.deep.equal([true, true]);
      expect(await inbox.take(never)).to.have.length(count);
      expect([call.isPaused, inbox.isFull]).to.deep.equal([false, false]);
    }
  });

  it('counts whatever else is large, too', () => {
    const { call } = fed();
    const note = { step: 's', attempt: 1, code: 'waiting', message: 'x'.repeat(1024 * 1024), facts: {} };
    const value = { runId: 'r', seq: 1, at: undefined, event: { $case: 'stepNote' as const, value: note } };
    call.feed({ $case: 'event', value });
    expect(call.isPaused).to.equal(true);
  });

  it('waits to be recorded within that bound, all in one report', async () => {
    const { call, inbox } = fed();
    const reports: number[] = [];
    let begin = (): void => undefined;
    const turn = new Promise<void>((come) => (begin = come));
    const record: Gateway['record'] = async (_, { messages }) => {
      await turn;
      reports.push(messages.length);
      return { acks: [], logAcks: [] };
    };
    const stream = { agent: 'web-1', epoch: 1, runs: streamRuns({ run: () => Promise.resolve(null) }) };
    const deps = { record } as unknown as Gateway;
    const handled = handleMessages(deps, stream, inbox, () => Promise.resolve(), never);
    for (let message = 0; message < 257; message += 1) {
      call.feed(log(1));
      await new Promise(setImmediate);
    }
    expect([call.isPaused, reports]).to.deep.equal([true, []]);
    begin();
    inbox.close();
    await handled;
    expect([call.isPaused, reports]).to.deep.equal([false, [1, 256]]);
  });

  it('does not let a ping wait behind a flood', async () => {
    const { call, inbox } = fed();
    for (let message = 0; message < 255; message += 1) call.feed(log(1));
    call.feed({ $case: 'ping', value: { number: 3 } });
    expect(await inbox.pings.take(never)).to.deep.equal([3]);
  });

  it('is left alone when a newer agent says something this build does not know', async () => {
    const { call, inbox } = fed();
    call.feed(undefined);
    call.feed(log(1));
    expect(await inbox.take(never)).to.have.length(1);
  });
});

describe('a mailbox', () => {
  it('gives what is left after it was closed, then null', async () => {
    const mailbox = new Mailbox<number>();
    mailbox.put(1);
    mailbox.put(2);
    mailbox.close();
    expect(await mailbox.take(never)).to.deep.equal([1, 2]);
    expect(await mailbox.take(never)).to.equal(null);
  });

  it('lets go of a reader that aborts, and wakes one that waits', async () => {
    const mailbox = new Mailbox<number>();
    const stop = new AbortController();
    const reading = mailbox.take(stop.signal).catch((error: unknown) => error);
    stop.abort(new Error('stopped'));
    expect(await reading).to.have.property('message', 'stopped');
    const waiting = mailbox.take(never);
    mailbox.close();
    expect(await waiting).to.equal(null);
  });
});

describe('loops side by side', () => {
  it('end with the first that ends, and throw what was thrown first', async () => {
    const forever = (signal: AbortSignal): Promise<void> =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('because of the abort'))),
      );
    await untilOneEnds(never, [forever, () => Promise.resolve()]);
    let thrown: unknown;
    await untilOneEnds(never, [forever, () => Promise.reject(new Error('first'))]).catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.have.property('message', 'first');
    await untilOneEnds(AbortSignal.abort(), [(signal) => Promise.resolve(signal.throwIfAborted())]);
  });
});

describe('a wake signal', () => {
  it('does not miss what came between two waits, and wakes for what is wanted alone', async () => {
    let wake: (topic: WakeTopic) => void = () => undefined;
    const waking = { subscribe: (listener: typeof wake) => ((wake = listener), () => undefined) };
    const signal = openWakeSignal({ waking, after: afterRealTime }, (topic) => topic.about === 'host');
    wake({ about: 'host', name: 'web-1' });
    await signal.wait(60_000, never);
    wake({ about: 'question', id: 'q' });
    const woken = signal.wait(60_000, never);
    wake({ about: 'host', name: 'web-1' });
    await woken;
    await signal.wait(1, never);
    await signal.wait(60_000, AbortSignal.abort());
    signal.close();
  });
});
