import { Args } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { webhookWhole } from '../views/webhooks.js';

export class WebhooksShow extends ClientCommand {
  static override summary = 'One delivery whole';
  static override args = {
    id: Args.string({ description: 'a delivery, like w_…', required: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(WebhooksShow);
    return this.tell(flags, (control) => control.ask('getWebhook', { id: args.id }), { text: webhookWhole });
  }
}
