import express, { type Request, type Response, type Router } from 'express';
import type { Logger } from 'pino';
import type { Edges } from '../deployments/edges.js';
import { PROVIDERS } from '../fraises/fraises.js';
import { answerError } from '../http/error-answer.js';
import type { Metrics } from '../http/metrics.js';
import { acceptInGroups } from './accept-deliveries.js';
import { answerOf } from './answer.js';
import { chooseProvider } from './choose-provider.js';
import { configurationReader } from './current-configuration.js';
import { limitRepositories, limitSenders } from './limit-rate.js';
import { receiveDelivery, type Receiver } from './receive-delivery.js';
import { perMinute } from './record-refusal.js';
import { recordUnsignedTest } from './record-unsigned-test.js';
import { refuse, type WebhookResponse } from './refuse.js';

export interface WebhookRouterOptions {
  readonly edges: Edges;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Deliveries a minute from one address that are not verified. */
  readonly rateLimit: number;
  /** Verified deliveries a minute of one repository. */
  readonly repositoryLimit: number;
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
    limitSenders(options.rateLimit),
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

function receive({ edges, logger, metrics, refusalLimit, repositoryLimit }: WebhookRouterOptions) {
  const tests = { edges, mayRecord: perMinute(refusalLimit, () => performance.now()) };
  const mayComplain = perMinute(10, () => performance.now());
  const admitRepository = limitRepositories(repositoryLimit, () => performance.now());
  const receiver: Omit<Receiver, 'admit'> = {
    edges,
    accept: acceptInGroups(edges),
    readConfiguration: configurationReader(edges.parsed),
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
    const { headers } = request;
    const admit = (repository: string): void => {
      response.locals.verified = true;
      admitRepository(repository);
    };
    const received =
      provider.isUnsignedTest?.(headers) === true
        ? await recordUnsignedTest(tests, provider, headers)
        : await receiveDelivery({ ...receiver, admit }, { provider, rawBody, headers });
    const { httpStatus, verdict, body } = answerOf(received);
    metrics.countDelivery(provider.name, verdict);
    logger.info({ webhookId: received.webhookId, provider: provider.name, verdict }, 'delivery received');
    response.status(httpStatus).json(body);
    stop();
  };
}
