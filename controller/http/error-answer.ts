import type { Response } from 'express';

/** What every refused or failed request is answered with: for programs, for people, and what to do about it. */
export interface ErrorAnswer {
  readonly status: 400 | 401 | 404 | 413 | 415 | 429 | 500 | 503;
  readonly errorType: string;
  readonly message: string;
  readonly recoveryHint: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Sends the error in the one shape that all routes share. */
export function answerError(response: Response, answer: ErrorAnswer): void {
  if (answer.retryAfter !== undefined) response.set('Retry-After', String(answer.retryAfter));
  response.status(answer.status).json(errorBody(answer));
}

/** The one shape. */
export function errorBody({
  errorType,
  message,
  recoveryHint,
}: ErrorAnswer): Readonly<Record<string, string>> {
  return { error_type: errorType, message, recovery_hint: recoveryHint };
}
