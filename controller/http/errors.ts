import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { FraisierError, type ErrorCode } from '../../proto/error-codes.js';
import { answerError, type ErrorAnswer } from './error-answer.js';

/** How long a sender is asked to wait while the database is away, in seconds. */
const RETRY_AFTER = 10;

/** The codes that a request can be refused with; any other is a fault of ours. */
const ANSWERS: Readonly<
  Partial<Record<ErrorCode, Pick<ErrorAnswer, 'status' | 'errorType' | 'retryAfter'>>>
> = {
  usage: { status: 400, errorType: 'validation_error' },
  unparseable: { status: 400, errorType: 'validation_error' },
  bad_signature: { status: 401, errorType: 'authentication_error' },
  too_large: { status: 413, errorType: 'payload_too_large' },
  rate_limited: { status: 429, errorType: 'rate_limited', retryAfter: 60 },
};

export const AWAY: ErrorAnswer = {
  status: 503,
  errorType: 'database_unavailable',
  message: 'the database does not answer; nothing was stored',
  recoveryHint: 'send it again in a moment; at the controller: fraisier doctor',
  retryAfter: RETRY_AFTER,
};

/** Answers whatever no route took. */
export const notFound: RequestHandler = (_request, response) => {
  answerError(response, {
    status: 404,
    errorType: 'not_found',
    message: 'there is nothing here',
    recoveryHint: 'webhooks go to: POST /webhook',
  });
};

/** The last handler: every error becomes an answer, and only what is a fault of ours is logged as one. */
export function answerErrors(options: {
  readonly databaseAway: (error: unknown) => boolean;
  readonly logger: Logger;
}): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    if (options.databaseAway(error)) {
      options.logger.warn({ err: error }, 'the database is away, a request was refused');
      answerError(response, AWAY);
      return;
    }
    const answer = answerOf(error);
    if (answer.status === 500) options.logger.error({ err: error }, 'a request failed');
    answerError(response, answer);
  };
}

function answerOf(error: unknown): ErrorAnswer {
  if (error instanceof FraisierError) {
    const { code, hint } = error.reason;
    const known = ANSWERS[code as ErrorCode];
    if (known !== undefined) return { ...known, message: error.message, recoveryHint: hint };
  }
  if (isMalformed(error)) {
    return {
      status: 400,
      errorType: 'validation_error',
      message: 'the request is malformed or was cut off',
      recoveryHint: 'send it again',
    };
  }
  return {
    status: 500,
    errorType: 'internal_error',
    message: 'the controller failed to handle this',
    recoveryHint: 'look at the log of the controller, then send it again',
  };
}

/** Express and its parsers mark what is the sender's fault with a status of 4xx. */
function isMalformed(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('status' in error)) return false;
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500;
}
