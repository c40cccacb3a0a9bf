import { FraisierCommand } from '../command.js';
import { AGENT_FLAGS } from '../host-flags.js';

export class Agent extends FraisierCommand {
  static override summary = 'Run the agent until SIGTERM or Ctrl-C';
  static override description =
    "With a join token it enrols first: its name and labels are the token's. What runs on the host goes on when the " +
    'agent ends. Exit code 5: it was revoked. Also read: FRAISIER_JOIN_TOKEN, FRAISIER_LOG_LEVEL (info).';
  static override flags = AGENT_FLAGS;

  async run(): Promise<number> {
    const { flags } = await this.parse(Agent);
    const { runAgent } = await import('../../agent/main.js');
    const { controller: controllers, 'join-token-file': joinTokenFile, state, policy } = flags;
    return runAgent({ controllers, joinTokenFile, state, policy });
  }
}
