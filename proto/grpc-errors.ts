import { Metadata, status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import { FraisierError, grpcStatusOf, type ErrorCode } from './error-codes.js';
import { Reason } from './gen/fraisier/v1/plan.js';

/** Trailer that carries the typed reason of a failed call, as protobuf bytes. */
export const REASON_TRAILER = 'fraisier-reason-bin';

/** Metadata key with the caller's protocol version, sent with every call. */
export const PROTOCOL_METADATA = 'fraisier-protocol';

/** What a handler hands to grpc-js: status, one line of details and the reason as a trailer. */
export function toServiceError(error: FraisierError): Pick<ServiceError, 'code' | 'details' | 'metadata'> {
  const metadata = new Metadata();
  metadata.set(REASON_TRAILER, Buffer.from(Reason.encode(error.reason).finish()));
  return { code: grpcStatusOf(error.reason.code), details: error.message, metadata };
}

/** The other direction: a failed call as the FraisierError it was, or a made-up one for what has no reason. */
export function fromServiceError(error: ServiceError): FraisierError {
  const bytes = error.metadata?.get(REASON_TRAILER)[0];
  if (Buffer.isBuffer(bytes)) {
    const found = Reason.decode(bytes);
    return new FraisierError(found.code as ErrorCode, found.message, {
      hint: found.hint,
      facts: found.facts,
      cause: error,
    });
  }
  if (error.code === GrpcStatus.UNAVAILABLE || error.code === GrpcStatus.DEADLINE_EXCEEDED) {
    return new FraisierError('controller_away', `the controller does not answer: ${error.details}`, {
      cause: error,
    });
  }
  return new FraisierError('internal', error.details || error.message, { cause: error });
}
