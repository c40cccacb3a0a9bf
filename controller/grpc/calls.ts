import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { FraisierError } from '../../proto/error-codes.js';
import { toServiceError } from '../../proto/grpc-errors.js';
import { send } from '../../proto/stream.js';
import type { Actor } from '../deployments/edges.js';
import type { Role } from '../deployments/records.js';
import type { Logger } from '../logger.js';
import { checkProtocol, requireRole, type Identify } from './authenticate.js';

/** What stands before every handler, and what becomes of its errors. */
export interface Gate {
  readonly identify: Identify;
  readonly logger: Logger;
  /** Aborts when this controller shuts down. */
  readonly closing: AbortSignal;
}

type Errors = Pick<Gate, 'logger'>;

/** What a handler may know of the call besides its request. */
export interface Caller {
  readonly actor: Actor;
  /** `HOST:PORT` under which the caller reached us. */
  readonly authority: string;
}

/** A call with one answer, for callers with at least this role. */
export function unary<Request, Response>(
  gate: Gate,
  role: Role,
  handle: (request: Request, caller: Caller) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return answering(gate, async (call) => {
    checkProtocol(call.metadata);
    const actor = await gate.identify(call.metadata);
    requireRole(actor, role);
    return handle(call.request, { actor, authority: call.getHost() });
  });
}

/** A call with one answer that anybody may make; `authority` is the `HOST:PORT` under which the caller reached us. */
export function open<Request, Response>(
  errors: Errors,
  handle: (request: Request, authority: string) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return answering(errors, (call) => handle(call.request, call.getHost()));
}

function answering<Request, Response>(
  errors: Errors,
  answer: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    answer(call).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toServiceError(known(errors, error))),
    );
  };
}

/** A call with a stream of answers; a slow client holds the stream back, it is not buffered for. */
export function streaming<Request, Response>(
  gate: Gate,
  role: Role,
  handle: (request: Request, signal: AbortSignal) => AsyncIterable<Response>,
): handleServerStreamingCall<Request, Response> {
  const pump = async (call: ServerWritableStream<Request, Response>, signal: AbortSignal): Promise<void> => {
    checkProtocol(call.metadata);
    requireRole(await gate.identify(call.metadata), role);
    for await (const message of handle(call.request, signal)) await send(call, message, signal);
    signal.throwIfAborted();
  };
  return (call) => {
    const life = lifeOf(call, gate.closing);
    pump(call, life.signal)
      .then(
        () => call.end(),
        (error: unknown) => {
          if (!call.cancelled) call.emit('error', toServiceError(known(gate, error)));
        },
      )
      .finally(life.release);
  };
}

/** Aborts when the caller goes, and with `shutting_down` when this controller does. */
function lifeOf(
  call: ServerWritableStream<unknown, unknown>,
  closing: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const life = new AbortController();
  const close = (): void =>
    life.abort(new FraisierError('shutting_down', 'this controller shuts down: try again'));
  for (const event of ['cancelled', 'close']) call.on(event, () => life.abort());
  closing.addEventListener('abort', close);
  if (closing.aborted) close();
  return { signal: life.signal, release: () => closing.removeEventListener('abort', close) };
}

/** Errors with a reason go out as they are; anything else is logged, and its details stay here. */
function known({ logger }: Errors, error: unknown): FraisierError {
  if (error instanceof FraisierError) return error;
  logger.error({ err: error }, 'call failed');
  return new FraisierError('internal', 'the controller failed; its log says why');
}
