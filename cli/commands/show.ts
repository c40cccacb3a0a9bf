import { ClientCommand, NAMES } from '../command.js';
import { deploymentWhole } from '../views/deployment.js';

export class Show extends ClientCommand {
  static override summary = 'One deployment whole: hosts, steps, timings, reasons';
  static override args = { id: NAMES.deployment };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Show);
    return this.tell(flags, (control) => control.ask('getDeployment', { id: args.id }), {
      text: deploymentWhole,
    });
  }
}
