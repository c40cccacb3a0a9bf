import { Args } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { agentRevoked } from '../views/agents.js';

export class AgentsRevoke extends ClientCommand {
  static override summary = 'Shut a host out at once: its certificate is worth nothing from now on';
  static override args = { name: Args.string({ description: 'the agent', required: true }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(AgentsRevoke);
    return this.tell(flags, (control) => control.ask('revokeAgent', { name: args.name }), {
      text: agentRevoked,
    });
  }
}
