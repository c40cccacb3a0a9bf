import type { WebhookSecretPlace, WebhookSetup } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { fields, lines } from './table.js';

/** What to enter at the git host, and where to click there. */
export function webhookSetup(setup: WebhookSetup, { ink }: Look): string {
  const { fraise, provider, repository } = setup;
  return (
    lines([`a webhook for ${ink.bold(fraise)} at ${provider}`]) +
    fields([
      ['repository', repository],
      ['address', setup.url],
      ['note', setup.urlNote],
      ['content type', setup.contentType],
      ['events', setup.events.join(', ')],
      ...setup.secrets.map((place): [string, string] => ['secret', secretOf(place)]),
      ['secret', setup.secrets.length === 0 ? missing(provider) : ''],
    ]) +
    lines(['', ...setup.steps.map((step, index) => `${index + 1}. ${step}`)])
  );
}

function secretOf({ path, variables, usable }: WebhookSecretPlace): string {
  const from = variables.length === 0 ? '' : ` (${variables.join(', ')} of the controller's environment)`;
  const trouble = usable ? '' : ', which is not set: deliveries are refused until it is';
  return `what ${path} resolves to${from}${trouble}`;
}

function missing(provider: string): string {
  return `none is configured: make one (openssl rand -hex 32), set git.${provider}.webhook_secret to it, then: fraisier apply`;
}
