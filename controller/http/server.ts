import express, { type Express } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Edges } from '../deployments/edges.js';
import { WEBHOOK_PROVIDERS } from '../webhooks/choose-provider.js';
import { webhookRouter } from '../webhooks/router.js';
import { deploymentPage } from './deployment-page.js';
import { answerErrors, notFound } from './errors.js';
import { health } from './health.js';
import { listen, type Listening, type Patience } from './listen.js';
import { makeMetrics } from './metrics.js';

export interface HttpOptions {
  readonly edges: Edges;
  /** `HOST:PORT`. */
  readonly address: string;
  readonly logger: Logger;
  /** Whether this error means that the database cannot be reached. */
  readonly databaseAway: (error: unknown) => boolean;
  /** Deliveries a minute from one address that are not verified; default 600. */
  readonly rateLimit?: number;
  /** Verified deliveries a minute of one repository; default 600. */
  readonly repositoryLimit?: number;
  /** Refused deliveries a minute that are recorded; default 60. */
  readonly refusalLimit?: number;
  /** Default 25 MB, the most GitHub sends. */
  readonly bodyLimitBytes?: number;
  /** Addresses of reverse proxies whose `X-Forwarded-For` is believed, as Express takes them; default none. */
  readonly trustedProxies?: readonly string[];
  /** How long the database may take to answer `/health`; default 3 s. */
  readonly healthPatienceMs?: number;
  /** How long `close` waits for requests in hand; default 10 s. */
  readonly drainMs?: number;
  readonly patience?: Patience;
}

/** Serves webhooks, health, metrics and a page for each deployment until `close`. */
export function startHttp(options: HttpOptions): Promise<Listening> {
  return listen(httpApp(options), options.address, options.drainMs ?? 10_000, options.patience);
}

/** The routes, without a socket. */
export function httpApp(options: HttpOptions): Express {
  const { edges, logger, databaseAway } = options;
  const metrics = makeMetrics();
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', options.trustedProxies ?? false);
  app.use(helmet());
  app.use(
    webhookRouter({
      edges,
      logger,
      metrics,
      rateLimit: options.rateLimit ?? 600,
      repositoryLimit: options.repositoryLimit ?? 600,
      refusalLimit: options.refusalLimit ?? 60,
      bodyLimitBytes: options.bodyLimitBytes ?? 25 * 1024 * 1024,
    }),
  );
  app.get('/health', health(edges.ledger, options.healthPatienceMs ?? 3_000));
  app.get('/providers', (_request, response) => {
    response.json({ providers: WEBHOOK_PROVIDERS.map((provider) => provider.name) });
  });
  app.get('/metrics', metrics.page);
  app.get('/deployments/:id', deploymentPage(edges.ledger));
  app.use(notFound);
  app.use(answerErrors({ databaseAway, logger }));
  return app;
}
