import type { ServiceError } from '@grpc/grpc-js';
import { AgentGatewayClient, type FromAgent, type ToAgent } from '../proto/gen/fraisier/v1/agent.js';
import { fromServiceError } from '../proto/grpc-errors.js';
import { send } from '../proto/stream.js';
import { FraisierError } from '../proto/error-codes.js';
import type { Identity } from './identity.js';
import { secureChannel } from './secure-channel.js';
import type { ControllerStream, Dial } from './transport.js';

const CHANNEL = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

/** Dials with mutual TLS; `identity` is asked anew for every stream, so that a renewed certificate is used. */
export function dialGrpc(identity: () => Promise<Identity>): Dial {
  return async (address) => {
    const { secure, options } = secureChannel(address, await identity());
    return openStream(new AgentGatewayClient(address, secure, { ...CHANNEL, ...options }));
  };
}

/** One stream over a client of its own, which ends with it. */
export function openStream(client: AgentGatewayClient): ControllerStream {
  const call = client.connect();
  const over = new AbortController();
  const end = (): void => over.abort(new FraisierError('controller_away', 'the stream is over'));
  call.on('error', end);
  call.on('end', end);
  return {
    send: (message) => send<FromAgent>(call, { message }, over.signal),
    messages: received(call),
    close: () => {
      end();
      call.cancel();
      client.close();
    },
  };
}

/** Leaving it early destroys the call, which is what leaving means here. */
async function* received(call: AsyncIterable<unknown>): AsyncGenerator<ToAgent> {
  try {
    for await (const message of call) yield message as ToAgent;
  } catch (error) {
    throw fromServiceError(error as ServiceError);
  }
}
