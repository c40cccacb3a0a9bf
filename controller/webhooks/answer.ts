import type { WebhookVerdict } from '../deployments/lifecycle.js';
import type { Received } from './accept-deliveries.js';

export interface DeliveryAnswer {
  readonly httpStatus: 200 | 202;
  readonly verdict: WebhookVerdict;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the git host is told of a delivery that was taken in; it names no fraise. */
export function answerOf(received: Received): DeliveryAnswer {
  const { status } = received;
  const body = { status, webhook_id: received.webhookId };
  switch (status) {
    case 'accepted':
      return { httpStatus: 202, verdict: 'deployed', body: { ...body, deployments: received.deployments } };
    case 'pending':
      return { httpStatus: 202, verdict: 'pending', body: { ...body, deployments: received.deployments } };
    case 'pong':
      return { httpStatus: 200, verdict: 'pong', body };
    case 'ignored': {
      const { code, message } = received.reason;
      return { httpStatus: 200, verdict: 'ignored', body: { ...body, reason: { code, message } } };
    }
    case 'duplicate': {
      const { originalId, deployments } = received;
      return {
        httpStatus: 200,
        verdict: 'duplicate',
        body: { ...body, original_id: originalId, deployments },
      };
    }
  }
}
