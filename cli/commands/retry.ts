import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { readEnvironment } from '../config.js';
import { SteeringCommand } from '../steering.js';

export class Retry extends SteeringCommand {
  static override summary =
    'Deploy what an ended deployment deployed once more, or let a paused one try a host again; watch it to the end';
  static override description =
    'Of an ended one: a new deployment of kind `retry`, the same commit under the configuration of now. Of a paused one, with ' +
    '--host: it goes on once every host that failed has been answered for by `retry` or `skip`. Exit codes: as `deploy`.';
  static override args = { id: NAMES.deployment };
  static override flags = {
    host: Flags.string({
      description: 'only this host; may be repeated',
      helpValue: 'HOST',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    'no-wait': Flags.boolean({ description: 'return as soon as it is queued' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Retry);
    const wanted = { deploymentId: args.id, hosts: flags.host ?? [] };
    const doubt = 'it is not known whether a deployment was queued\nnext: fraisier history';
    return this.steer(flags, 'deploy', doubt, async (control) => {
      const { retryDeployment } = await import('../request-deployment.js');
      const { reconnectForMs } = readEnvironment();
      return retryDeployment({ control, forMs: reconnectForMs, say: (line) => this.complain(line) }, wanted);
    });
  }
}
