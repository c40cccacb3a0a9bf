import { Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { webhookTable } from '../views/webhooks.js';

const VERDICTS =
  'deployed, ignored, duplicate, pong, pending, bad_signature, unparseable, too_large, rate_limited';

export class Webhooks extends ClientCommand {
  static override summary = 'The ledger of deliveries: each with its verdict, why, and what it started';
  static override flags = {
    limit: Flags.integer({ description: 'how many', default: 20, min: 1, max: 1000, helpValue: 'N' }),
    verdict: Flags.string({ description: `only these: ${VERDICTS}`, helpValue: 'VERDICT' }),
    cursor: Flags.string({ description: 'go on from the `next` of the page before', helpValue: 'CURSOR' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Webhooks);
    const question = { limit: flags.limit, cursor: flags.cursor ?? '', verdict: flags.verdict ?? '' };
    return this.tell(flags, (control) => control.ask('listWebhooks', question), { text: webhookTable });
  }
}
