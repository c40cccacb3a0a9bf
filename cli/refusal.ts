import { status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { FraisierError } from '../proto/error-codes.js';
import { fromServiceError, REASON_TRAILER } from '../proto/grpc-errors.js';

/** A failed call as the FraisierError it was, or as what its absence of a reason says about the connection. */
export function refusal(error: ServiceError, address: string): FraisierError {
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
