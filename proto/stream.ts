import { once } from 'node:events';

/** The part of a grpc-js stream that writing with back-pressure needs. */
export interface WritableCall<T> {
  write(message: T): boolean;
  on(event: 'drain' | 'close' | 'error' | 'cancelled', listener: () => void): unknown;
  off(event: 'drain' | 'close' | 'error' | 'cancelled', listener: () => void): unknown;
}

/**
 * Writes one message and waits until the peer's window has room again, or until `signal` aborts.
 * Guarantee: at most one message per caller is held in memory beyond the stream's own buffer.
 * Throws the signal's reason when it aborts first.
 */
export async function send<T>(call: WritableCall<T>, message: T, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (call.write(message)) return;
  await once(call as never, 'drain', { signal });
}
