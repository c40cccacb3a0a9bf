import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { FraisierError } from '../../proto/error-codes.js';
import type { WebhookResponse } from './refuse.js';

const WINDOW_MS = 60_000;
/** More repositories than this in one minute share what is left. */
const MOST_REPOSITORIES = 10_000;

/**
 * So many deliveries a minute from one address, of those that were not verified: a git host sends for all of its
 * repositories from few addresses, and what it signed is limited by repository instead.
 */
export function limitSenders(limit: number): RequestHandler {
  return rateLimit({
    limit,
    windowMs: WINDOW_MS,
    standardHeaders: false,
    legacyHeaders: false,
    // Its checks complain on the console; which proxies are trusted is the operator's to say.
    validate: false,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) =>
      response.statusCode >= 500 || (response as WebhookResponse).locals.verified === true,
    handler: (_request, _response, next) => {
      next(
        new FraisierError(
          'rate_limited',
          `more than ${limit} unverified deliveries a minute from one address`,
          {
            hint: 'wait a minute, then send it again; a git host whose secret is right is not held up by this',
          },
        ),
      );
    },
  });
}

/** Throws FraisierError `rate_limited` once more came of one repository, within a minute, than it may send. */
export type Admit = (repository: string) => void;

/** So many verified deliveries a minute of one repository; `nowMs` is a clock that never goes back. */
export function limitRepositories(limit: number, nowMs: () => number): Admit {
  const taken = new Map<string, number>();
  let started = -Infinity;
  return (repository) => {
    const now = nowMs();
    if (now - started >= WINDOW_MS) {
      taken.clear();
      started = now;
    }
    const key = taken.has(repository) || taken.size < MOST_REPOSITORIES ? repository : '';
    const count = (taken.get(key) ?? 0) + 1;
    taken.set(key, count);
    if (count <= limit) return;
    throw new FraisierError('rate_limited', `more than ${limit} deliveries a minute of ${repository}`, {
      hint: 'wait a minute, then have the git host deliver it again; other repositories are not held up',
      facts: { repository },
    });
  };
}
