import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { SteeringCommand } from '../steering.js';

export class Skip extends SteeringCommand {
  static override summary =
    'Let a paused deployment go on without hosts on which it failed, and watch it to the end';
  static override description =
    'What it changed on them is undone; they are shown `stale` until they are deployed to again. It stays paused ' +
    'while other hosts that failed wait for `retry --host` or `skip --host`. Exit codes: as `deploy`.';
  static override args = { id: NAMES.deployment };
  static override flags = {
    host: Flags.string({
      description: 'without this host; may be repeated',
      helpValue: 'HOST',
      required: true,
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    'no-wait': Flags.boolean({ description: 'return as soon as it is accepted' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Skip);
    const doubt = `it is not known whether the host was left out\nnext: fraisier show ${args.id}`;
    return this.steer(flags, 'deploy', doubt, (control) =>
      control.ask('skipHosts', { deploymentId: args.id, hosts: flags.host }),
    );
  }
}
