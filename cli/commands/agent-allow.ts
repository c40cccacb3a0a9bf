import { Errors } from '@oclif/core';
import { FraisierCommand, OUTPUT_FLAGS } from '../command.js';
import { readEnvironment } from '../config.js';
import { ALLOW_FLAGS, allowedBy, POLICY_FLAG } from '../host-flags.js';
import { allowed } from '../views/allowed.js';

export class AgentAllow extends FraisierCommand {
  static override summary =
    "Widen what the controller may do on this host (as root, or as the policy's owner)";
  static override flags = { ...ALLOW_FLAGS, ...POLICY_FLAG, ...OUTPUT_FLAGS };

  async run(): Promise<number> {
    const { flags } = await this.parse(AgentAllow);
    const wanted = allowedBy(flags);
    if (Object.values(wanted).every((values) => Object.keys(values).length === 0)) {
      throw new Errors.CLIError(
        'nothing to allow: say --repository, --path, --unit, --unit-file, --user or --command',
      );
    }
    const { allowInPolicy } = await import('../../agent/main.js');
    const policy = flags.policy ?? readEnvironment().policyFile;
    this.print(flags, { policy, added: await allowInPolicy({ policy, ...wanted }) }, { text: allowed });
    return 0;
  }
}
