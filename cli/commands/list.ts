import { Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { fraiseTable, fraiseTree } from '../views/fraises.js';

export class List extends ClientCommand {
  static override summary = 'Fraises, their kinds, environments and hosts, and what is live';
  static override flags = { flat: Flags.boolean({ description: 'one line per environment' }) };

  async run(): Promise<number> {
    const { flags } = await this.parse(List);
    const text = flags.flat ? fraiseTable : fraiseTree;
    return this.tell(flags, (control) => control.ask('listFraises', {}), { text });
  }
}
