import { ClientCommand, NAMES } from '../command.js';
import { webhookSetup } from '../views/webhook-setup.js';

export class WebhooksSetup extends ClientCommand {
  static override summary = 'What to enter at the git host so that its pushes reach a fraise';
  static override args = { fraise: NAMES.fraise };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(WebhooksSetup);
    const question = { fraise: args.fraise };
    return this.tell(flags, (control) => control.ask('setupWebhook', question), { text: webhookSetup });
  }
}
