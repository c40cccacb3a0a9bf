import { Flags } from '@oclif/core';
import { ClientCommand, NAMES } from '../command.js';
import { statsJson } from '../json.js';
import { statsSheet } from '../views/stats.js';

export class Stats extends ClientCommand {
  static override summary = 'Counts, success rate, durations, time from push to live and to restore';
  static override args = { fraise: NAMES.anyFraise };
  static override flags = {
    days: Flags.integer({ description: 'of the last days', default: 30, min: 1, max: 3650, helpValue: 'N' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Stats);
    const question = { fraise: args.fraise ?? '', days: flags.days };
    return this.tell(flags, (control) => control.ask('getStats', question), {
      text: statsSheet,
      json: statsJson,
    });
  }
}
