import { FraisierCommand, OUTPUT_FLAGS } from '../command.js';
import { AGENT_FLAGS, ALLOW_FLAGS, allowedBy } from '../host-flags.js';

export class AgentInstall extends FraisierCommand {
  static override summary = 'Make this host an agent, as root: policy, enrolment, systemd unit';
  static override description = 'May be repeated: what is done already is left as it is.';
  static override flags = { ...AGENT_FLAGS, ...ALLOW_FLAGS, ...OUTPUT_FLAGS };

  async run(): Promise<number> {
    const { flags } = await this.parse(AgentInstall);
    const { installAgent } = await import('../../agent/main.js');
    const { controller: controllers, 'join-token-file': joinTokenFile, state, policy } = flags;
    const done = await installAgent({ controllers, joinTokenFile, state, policy, ...allowedBy(flags) });
    this.print(flags, { done }, { text: () => done.map((sentence) => `${sentence}\n`).join('') });
    return 0;
  }
}
