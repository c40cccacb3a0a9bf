import { Args, Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { webhookWhole } from '../views/webhooks.js';

export class WebhooksShow extends ClientCommand {
  static override summary =
    'One delivery whole: why it is judged so, what signed it, what it started and what repeats it';
  static override args = {
    id: Args.string({ description: 'a delivery, like w_…', required: true }),
  };
  static override flags = {
    body: Flags.boolean({ description: 'also the body, of which the first 3 MB are shown' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(WebhooksShow);
    const question = { id: args.id, withBody: flags.body };
    return this.tell(flags, (control) => control.ask('getWebhook', question), { text: webhookWhole });
  }
}
