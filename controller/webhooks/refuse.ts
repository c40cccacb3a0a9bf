import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import { FraisierError } from '../../proto/error-codes.js';
import type { Edges } from '../deployments/edges.js';
import type { Metrics } from '../http/metrics.js';
import type { WebhookProvider } from './provider.js';
import { perMinute, recordRefusal, refusalOf } from './record-refusal.js';

/** Once the provider is known it stands in the response. */
export type WebhookResponse = Response<unknown, { provider: WebhookProvider; verified?: boolean }>;

export interface RefuseOptions {
  readonly edges: Edges;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Refused deliveries a minute that are recorded. */
  readonly refusalLimit: number;
}

/** Counts and records what was the delivery's own fault, then hands the error on; recording never changes the answer. */
export function refuse({ edges, logger, metrics, refusalLimit }: RefuseOptions) {
  const recorder = { edges, mayRecord: perMinute(refusalLimit, () => performance.now()) };
  return async (
    thrown: unknown,
    request: Request,
    response: WebhookResponse,
    next: NextFunction,
  ): Promise<void> => {
    const error = isTooLarge(thrown) ? tooLarge(thrown) : thrown;
    const refusal = refusalOf(error);
    if (refusal !== null) {
      const { provider } = response.locals;
      metrics.countDelivery(provider.name, refusal.verdict);
      try {
        await recordRefusal(recorder, { provider, headers: request.headers, ...refusal });
      } catch (failure) {
        logger.warn({ err: failure, verdict: refusal.verdict }, 'a refused delivery could not be recorded');
      }
    }
    next(error);
  };
}

/** As the body parser says it. */
function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'type' in error && error.type === 'entity.too.large';
}

function tooLarge(cause: unknown): FraisierError {
  return new FraisierError('too_large', 'the delivery is larger than git hosts send', {
    hint: 'send fewer events to this webhook: it needs only pushes',
    cause,
  });
}
