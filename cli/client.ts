import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { ChannelOptions, ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { parseAddress } from '../proto/address.js';
import { ControlService } from '../proto/gen/fraisier/v1/control.js';
import { PROTOCOL_METADATA } from '../proto/grpc-errors.js';
import { PROTOCOL_VERSION } from '../proto/protocol-version.js';
import type { Endpoint } from './endpoint.js';
import { refusal } from './refusal.js';

type Methods = typeof ControlService;
type StreamName = 'watch' | 'logs';
type UnaryName = Exclude<keyof Methods, StreamName>;
type RequestOf<M extends keyof Methods> = Parameters<Methods[M]['requestSerialize']>[0];
type ResponseOf<M extends keyof Methods> = ReturnType<Methods[M]['responseDeserialize']>;

/** Answers that come from the hosts themselves take as long as the slowest of them is given. */
const DEADLINE_MS: Readonly<Partial<Record<UnaryName, number>>> = {
  requestDeployment: 60_000,
  retryDeployment: 60_000,
  previewDeployment: 90_000,
  getStatus: 60_000,
};
const USUAL_DEADLINE_MS = 15_000;

const CHANNEL: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** One connection to a controller, opened by the first call. */
export class Control {
  readonly address: string;
  private readonly client: Client;
  private readonly metadata = new Metadata();

  constructor(endpoint: Endpoint) {
    this.address = endpoint.address;
    this.metadata.set(PROTOCOL_METADATA, String(PROTOCOL_VERSION));
    if (endpoint.kind === 'socket') {
      this.client = new Client(`unix:${endpoint.path}`, credentials.createInsecure(), CHANNEL);
    } else {
      this.metadata.set('authorization', `Bearer ${endpoint.token}`);
      this.client = secureClient(endpoint.address, endpoint.authority);
    }
  }

  /** Asks once. Throws the FraisierError the controller answered, or `controller_away` / `controller_untrusted`. */
  ask<M extends UnaryName>(name: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    const method = ControlService[name] as unknown as MethodDefinition<RequestOf<M>, ResponseOf<M>>;
    const deadline = Date.now() + (DEADLINE_MS[name] ?? USUAL_DEADLINE_MS);
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.metadata,
        { deadline },
        (error, response) => {
          if (error === null) resolve(response as ResponseOf<M>);
          else reject(refusal(error, this.address));
        },
      );
    });
  }

  /** Opens a stream; it ends with the server's, or throws as `ask` does. Leaving the loop ends the call. */
  async *stream<M extends StreamName>(
    name: M,
    request: RequestOf<M>,
    signal: AbortSignal,
  ): AsyncGenerator<ResponseOf<M>> {
    const method = ControlService[name] as unknown as MethodDefinition<RequestOf<M>, ResponseOf<M>>;
    const call: ClientReadableStream<ResponseOf<M>> = this.client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      this.metadata,
    );
    const stop = (): void => call.cancel();
    signal.addEventListener('abort', stop);
    try {
      for await (const message of call) yield message as ResponseOf<M>;
    } catch (error) {
      signal.throwIfAborted();
      throw refusal(error as ServiceError, this.address);
    } finally {
      signal.removeEventListener('abort', stop);
      call.cancel();
    }
  }

  /** Waits until the controller can be reached; answers whether it could within `withinMs`. */
  reachable(withinMs: number): Promise<boolean> {
    return new Promise((resolve) =>
      this.client.waitForReady(Date.now() + withinMs, (error) => resolve(error === undefined)),
    );
  }

  close(): void {
    this.client.close();
  }
}

/** The certificate must be for the host that was dialled; an IP address is no server name to send (RFC 6066). */
function secureClient(address: string, authority: string): Client {
  const { host } = parseAddress(address, 0);
  const verify = {
    checkServerIdentity: (_: string, peer: PeerCertificate) => checkServerIdentity(host, peer),
  };
  const trusted = credentials.createSsl(Buffer.from(authority), null, null, verify);
  const named = isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'fraisier' };
  return new Client(`dns:${address}`, trusted, { ...CHANNEL, ...named });
}
