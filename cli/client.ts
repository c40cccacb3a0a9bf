import { Client, credentials, Metadata, status as GrpcStatus } from '@grpc/grpc-js';
import type { ChannelOptions, ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { FraisierError } from '../proto/error-codes.js';
import { ControlService } from '../proto/gen/fraisier/v1/control.js';
import { fromServiceError, PROTOCOL_METADATA, REASON_TRAILER } from '../proto/grpc-errors.js';
import { PROTOCOL_VERSION } from '../proto/protocol-version.js';
import type { Endpoint } from './endpoint.js';

type Methods = typeof ControlService;
type StreamName = 'watch' | 'logs';
type UnaryName = Exclude<keyof Methods, StreamName>;
type RequestOf<M extends keyof Methods> = Parameters<Methods[M]['requestSerialize']>[0];
type ResponseOf<M extends keyof Methods> = ReturnType<Methods[M]['responseDeserialize']>;

/** Answers that come from the hosts themselves take as long as the slowest of them is given. */
const DEADLINE_MS: Readonly<Partial<Record<UnaryName, number>>> = {
  requestDeployment: 60_000,
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
      const trusted = credentials.createSsl(Buffer.from(endpoint.authority));
      this.client = new Client(`dns:${endpoint.address}`, trusted, CHANNEL);
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

/** Whether the controller may be back in a moment, so that the same call is worth repeating. */
export function isAway(error: unknown): error is FraisierError {
  return (
    error instanceof FraisierError &&
    ['controller_away', 'shutting_down', 'database_away'].includes(error.reason.code)
  );
}

/** Whether the call cannot have arrived anywhere. */
export function neverArrived(error: FraisierError): boolean {
  return error.reason.facts['arrived'] === 'no';
}

function refusal(error: ServiceError, address: string): FraisierError {
  if (Buffer.isBuffer(error.metadata?.get(REASON_TRAILER)[0])) return fromServiceError(error);
  const details = error.details || error.message;
  if (/certificate|self[- ]signed|altname/i.test(details)) return untrusted(address, error);
  if (error.code === GrpcStatus.UNIMPLEMENTED) return tooOld(address, error);
  if (error.code === GrpcStatus.DEADLINE_EXCEEDED)
    return away(address, 'no answer in time', 'perhaps', error);
  if (/^(No connection established|Name resolution failed)/.test(details)) {
    return away(address, plainCause(details), 'no', error);
  }
  const cut =
    error.code === GrpcStatus.UNAVAILABLE ||
    error.code === GrpcStatus.CANCELLED ||
    /RST_STREAM|ECONNRESET/.test(details);
  return cut ? away(address, 'the connection was cut', 'perhaps', error) : fromServiceError(error);
}

function away(address: string, why: string, arrived: 'no' | 'perhaps', cause: Error): FraisierError {
  const local = address.startsWith('unix:');
  const hint = local
    ? 'fraisier controller (starts one here), or name another: --controller ADDRESS'
    : 'check the address, and that the controller runs and its port is reachable from here';
  return new FraisierError('controller_away', `no controller answers at ${address}: ${why}`, {
    hint,
    facts: { arrived },
    cause,
  });
}

function untrusted(address: string, cause: ServiceError): FraisierError {
  const why = plainCause(cause.details);
  return new FraisierError(
    'controller_untrusted',
    `the controller at ${address} cannot prove who it is: ${why}`,
    {
      hint: `if it was set up anew: fraisier login ${address}; if the name is missing: fraisier controller --advertise NAME`,
      cause,
    },
  );
}

function tooOld(address: string, cause: Error): FraisierError {
  return new FraisierError('protocol_mismatch', `the controller at ${address} is older than this command`, {
    hint: 'upgrade the controller',
    cause,
  });
}

/** `No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1 (2026-…)`, without the frame. */
function plainCause(details: string): string {
  const last = /Last error: (?:Error: )?(.*)$/s.exec(details)?.[1] ?? details;
  const cause = last
    .replace(/\.?\s*(Resolution note:.*)?$/s, '')
    .replace(/ \(?\d{4}-\d\d-\d\dT[\d:.]+Z\)?$/, '');
  if (cause.includes('ECONNREFUSED')) return 'connection refused';
  if (cause.includes('ENOENT')) return 'there is no such socket';
  if (cause.includes('EACCES')) return 'permission denied';
  return cause;
}
