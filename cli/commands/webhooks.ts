import { Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { parseDuration } from '../durations.js';
import { webhookTable } from '../views/webhooks.js';

const VERDICTS =
  'deployed, ignored, duplicate, pong, pending, bad_signature, unparseable, too_large, rate_limited';

export class Webhooks extends ClientCommand {
  static override summary = 'The ledger of deliveries: each with its verdict, why, and what it started';
  static override flags = {
    fraise: Flags.string({ description: 'only of the repository of this fraise', helpValue: 'FRAISE' }),
    since: Flags.string({ description: 'only of the last so long', helpValue: '7d' }),
    verdict: Flags.string({ description: `only these: ${VERDICTS}`, helpValue: 'VERDICT' }),
    limit: Flags.integer({ description: 'how many', default: 20, min: 1, max: 1000, helpValue: 'N' }),
    cursor: Flags.string({ description: 'go on from the `next` of the page before', helpValue: 'CURSOR' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Webhooks);
    const { limit, cursor = '', verdict = '', fraise = '' } = flags;
    const since = flags.since === undefined ? undefined : new Date(Date.now() - parseDuration(flags.since));
    const question = { limit, cursor, verdict, fraise, since };
    return this.tell(flags, (control) => control.ask('listWebhooks', question), { text: webhookTable });
  }
}
