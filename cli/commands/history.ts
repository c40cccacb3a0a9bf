import { Flags } from '@oclif/core';
import { ClientCommand, NAMES } from '../command.js';
import { parseDuration } from '../durations.js';
import { historyTable } from '../views/history.js';

export class History extends ClientCommand {
  static override summary = 'Past deployments, newest first';
  static override args = { fraise: NAMES.anyFraise, environment: NAMES.anyEnvironment };
  static override flags = {
    limit: Flags.integer({ description: 'how many', default: 20, min: 1, max: 1000, helpValue: 'N' }),
    since: Flags.string({ description: 'not older than this, like 12h or 7d', helpValue: 'DURATION' }),
    cursor: Flags.string({ description: 'go on from the `next` of the page before', helpValue: 'CURSOR' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(History);
    const since = flags.since === undefined ? undefined : new Date(Date.now() - parseDuration(flags.since));
    const { fraise = '', environment = '' } = args;
    const question = { fraise, environment, limit: flags.limit, since, cursor: flags.cursor ?? '' };
    return this.tell(flags, (control) => control.ask('listDeployments', question), { text: historyTable });
  }
}
