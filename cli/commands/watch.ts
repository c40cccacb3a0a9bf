import { NAMES } from '../command.js';
import { exitCodeOfDeployment } from '../exit-codes.js';
import { SteeringCommand } from '../steering.js';
import { deploymentSummary } from '../views/deployment.js';

export class Watch extends SteeringCommand {
  static override summary = 'Join a running deployment: everything so far, then live to the end';
  static override description = 'With --json, one event a line. The exit code is that of `fraisier deploy`.';
  static override args = { id: NAMES.deployment };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Watch);
    const { id } = args;
    return this.connected(flags, async (control) => {
      // An unknown deployment or an absent controller is an error at once, not something to wait for.
      await control.ask('getDeployment', { id });
      return this.detachable('', async (signal, beginFollowing) => {
        beginFollowing(id);
        const end = await this.follow(flags, control, id, signal, 'shown');
        if (!flags.json) this.print(flags, end, { text: deploymentSummary });
        return exitCodeOfDeployment(end, 'deploy');
      });
    });
  }
}
