import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

/** What is counted of webhooks, and the page that shows it. Nothing in it names a fraise, a repository or a person. */
export interface Metrics {
  countDelivery(provider: string, verdict: string): void;
  /** Starts a clock; the returned function stops it. */
  timeDelivery(): () => void;
  readonly page: RequestHandler;
}

/** Metrics of this process, in a registry of their own. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const deliveries = new Counter({
    name: 'fraisier_webhook_deliveries_total',
    help: 'Webhook deliveries by git host and verdict',
    labelNames: ['provider', 'verdict'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'fraisier_webhook_duration_seconds',
    help: 'Time from a delivery, once read, to its answer',
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  return {
    countDelivery: (provider, verdict) => deliveries.inc({ provider, verdict }),
    timeDelivery: () => durations.startTimer(),
    page: async (_request, response) => {
      response.set('Content-Type', registry.contentType).send(await registry.metrics());
    },
  };
}
