import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { SteeringCommand } from '../steering.js';

export class Continue extends SteeringCommand {
  static override summary = 'Let a paused deployment go on, and watch it to the end';
  static override args = { id: NAMES.deployment };
  static override flags = { 'no-wait': Flags.boolean({ description: 'return as soon as it is accepted' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Continue);
    const doubt = `it is not known whether it was continued\nnext: fraisier show ${args.id}`;
    return this.steer(flags, 'deploy', doubt, (control) =>
      control.ask('continueDeployment', { id: args.id }),
    );
  }
}
