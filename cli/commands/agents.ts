import { ClientCommand } from '../command.js';
import { agentTable } from '../views/agents.js';

export class Agents extends ClientCommand {
  static override summary = 'The enrolled hosts: whether they are connected, since when, with what labels';

  async run(): Promise<number> {
    const { flags } = await this.parse(Agents);
    return this.tell(flags, (control) => control.ask('listAgents', {}), { text: agentTable });
  }
}
