import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { SteeringCommand } from '../steering.js';

export class Cancel extends SteeringCommand {
  static override summary = 'Stop a deployment; what it changed on hosts is undone';
  static override args = { id: NAMES.deployment };
  static override flags = { 'no-wait': Flags.boolean({ description: 'return as soon as it is accepted' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Cancel);
    const doubt = `it is not known whether it was cancelled\nnext: fraisier show ${args.id}`;
    return this.steer(flags, 'cancel', doubt, (control) => control.ask('cancelDeployment', { id: args.id }));
  }
}
