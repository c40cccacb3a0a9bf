import { ClientCommand } from '../command.js';
import { lockTable } from '../views/locks.js';

export class Locks extends ClientCommand {
  static override summary = 'What is locked, by whom, why and until when';

  async run(): Promise<number> {
    const { flags } = await this.parse(Locks);
    return this.tell(flags, (control) => control.ask('listLocks', {}), { text: lockTable });
  }
}
