import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Logger } from 'pino';
import { FraisierError } from '../../proto/error-codes.js';
import type { Edges } from '../deployments/edges.js';
import { PROVIDERS } from '../fraises/fraises.js';
import { answerError } from '../http/error-answer.js';
import type { Metrics } from '../http/metrics.js';
import { answerOf } from './answer.js';
import { chooseProvider } from './choose-provider.js';
import { configurationReader } from './current-configuration.js';
import { receiveDelivery, type Receiver } from './receive-delivery.js';
import { perMinute } from './record-refusal.js';
import { refuse, type WebhookResponse } from './refuse.js';

export interface WebhookRouterOptions {
  readonly edges: Edges;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Deliveries a minute from one address. */
  readonly rateLimit: number;
  /** Refused deliveries a minute that are recorded. */
  readonly refusalLimit: number;
  readonly bodyLimitBytes: number;
}

const CONTENT_TYPES = ['application/json', 'application/x-www-form-urlencoded'];

/** `POST /webhook` and `POST /webhook/:provider`. Errors go on to the application once they are recorded. */
export function webhookRouter(options: WebhookRouterOptions): Router {
  const router = express.Router();
  router.post(
    ['/webhook', '/webhook/:provider'],
    findProvider,
    limitRate(options.rateLimit),
    requireContentType,
    express.raw({ type: () => true, limit: options.bodyLimitBytes, inflate: false }),
    receive(options),
    refuse(options),
  );
  return router;
}

/** Says which git host it is before anything is read; a name of none in the path is just an unknown address. */
function findProvider(
  request: Request,
  response: WebhookResponse,
  next: (deferToNext?: 'route') => void,
): void {
  const inPath = request.params['provider'];
  if (inPath !== undefined && !(PROVIDERS as readonly unknown[]).includes(inPath)) {
    next('route');
    return;
  }
  const asked = inPath ?? request.query['provider'];
  response.locals.provider = chooseProvider(typeof asked === 'string' ? asked : undefined, request.headers);
  next();
}

function limitRate(limit: number): RequestHandler {
  return rateLimit({
    limit,
    windowMs: 60_000,
    standardHeaders: false,
    legacyHeaders: false,
    // Its checks complain on the console; which proxies are trusted is the operator's to say.
    validate: false,
    handler: (_request, response, next) => {
      response.set('Retry-After', '60');
      next(
        new FraisierError('rate_limited', `more than ${limit} deliveries a minute from one address`, {
          hint: 'wait a minute, then send it again',
        }),
      );
    },
  });
}

function requireContentType(request: Request, response: Response, next: () => void): void {
  // A compressed body would have to be unpacked before anybody knows whose it is; no git host sends one.
  const plain = (request.headers['content-encoding'] ?? 'identity') === 'identity';
  if (plain && request.is(CONTENT_TYPES) !== false) {
    next();
    return;
  }
  answerError(response, {
    status: 415,
    errorType: 'unsupported_media_type',
    message: 'a delivery is JSON or a form, and not compressed',
    recoveryHint: `set the content type of the webhook to ${CONTENT_TYPES[0]}`,
  });
}

function receive({ edges, logger, metrics }: WebhookRouterOptions) {
  const mayComplain = perMinute(10, () => performance.now());
  const receiver: Receiver = {
    edges,
    readConfiguration: configurationReader(),
    onUnusableSecret: (secret, problem) => {
      if (mayComplain())
        logger.error({ path: secret.path, problem: problem.message }, 'a webhook secret cannot be used');
    },
  };
  return async (request: Request, response: WebhookResponse): Promise<void> => {
    const stop = metrics.timeDelivery();
    const { provider } = response.locals;
    // Without a body there is nothing to read, and nothing that a signature could be over.
    const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const received = await receiveDelivery(receiver, { provider, rawBody, headers: request.headers });
    const { httpStatus, verdict, body } = answerOf(received);
    metrics.countDelivery(provider.name, verdict);
    logger.info({ webhookId: received.webhookId, provider: provider.name, verdict }, 'delivery received');
    response.status(httpStatus).json(body);
    stop();
  };
}
