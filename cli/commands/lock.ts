import { Flags } from '@oclif/core';
import { ClientCommand, NAMES } from '../command.js';
import { parseDuration } from '../durations.js';
import { lockPlaced } from '../views/locks.js';

export class Lock extends ClientCommand {
  static override summary = 'Freeze a fraise: `deploy` is refused, pushes wait; a rollback goes past it';
  static override args = { fraise: NAMES.fraise, environment: NAMES.environment };
  static override flags = {
    message: Flags.string({
      char: 'm',
      description: 'why, for whoever finds it',
      helpValue: 'WHY',
      required: true,
    }),
    for: Flags.string({ description: 'ends by itself after this long; default: never', helpValue: '2h' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Lock);
    const { fraise, environment } = args;
    const forMs = flags.for === undefined ? 0 : parseDuration(flags.for);
    const wish = { fraise, environment, reason: flags.message, forMs };
    return this.tell(flags, (control) => control.ask('lockFraise', wish), { text: lockPlaced });
  }
}
