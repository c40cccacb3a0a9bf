import { Args } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { webhookReplayed } from '../views/webhooks.js';

export class WebhooksReplay extends ClientCommand {
  static override summary = 'Judge a stored delivery again, by the configuration of now';
  static override description =
    'It becomes a new delivery that names the old one. What the old one deployed already is not deployed again. ' +
    'Exit codes: 0 judged, whatever the verdict · 2 unknown delivery · 3 controller away · 4 refused: its body is no longer ' +
    'kept, or it was never verified · 5 not allowed';
  static override args = {
    id: Args.string({ description: 'a delivery, like w_…', required: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(WebhooksReplay);
    const question = { id: args.id, withBody: false };
    return this.tell(flags, (control) => control.ask('replayWebhook', question), { text: webhookReplayed });
  }
}
