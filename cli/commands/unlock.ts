import { ClientCommand, NAMES } from '../command.js';
import { lockReleased } from '../views/locks.js';

export class Unlock extends ClientCommand {
  static override summary = 'End a lock; what waits for it starts';
  static override args = { fraise: NAMES.fraise, environment: NAMES.environment };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Unlock);
    const { fraise, environment } = args;
    return this.tell(flags, (control) => control.ask('unlockFraise', { fraise, environment }), {
      text: lockReleased,
    });
  }
}
