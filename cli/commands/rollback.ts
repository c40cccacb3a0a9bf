import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { readEnvironment } from '../config.js';
import { SteeringCommand } from '../steering.js';
import { planFromHosts } from '../views/preview.js';

export class Rollback extends SteeringCommand {
  static override summary = 'Back to the last good release; locks the fraise until `unlock`';
  static override description =
    'A deployment that is running or paused is undone. Otherwise the hosts go back to a release that was good and is kept ' +
    'there, batch by batch, and then the database by exactly what was applied since. Exit codes: 0 back · 1 failed · ' +
    '2 unknown fraise or environment · 3 controller or agent away · 4 refused: nothing to go back to, or the database cannot · 5 not allowed';
  static override args = { fraise: NAMES.fraise, environment: NAMES.environment };
  static override flags = {
    to: Flags.string({
      description:
        'this release, or what this deployment deployed; default: the last good one before what is live',
      helpValue: 'VERSION|ID',
    }),
    'code-only': Flags.boolean({ description: 'leave the database as it is' }),
    'skip-unreachable': Flags.boolean({
      description:
        'leave hosts that do not answer as they are; refused when the database must go back on one of them',
    }),
    'dry-run': Flags.boolean({ description: 'only say what would happen, from the hosts' }),
    'no-wait': Flags.boolean({ description: 'return as soon as it is queued', exclusive: ['dry-run'] }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Rollback);
    const { fraise, environment } = args;
    const how = { codeOnly: flags['code-only'], skipUnreachable: flags['skip-unreachable'] };
    const wanted = { fraise, environment, to: flags.to ?? '', ...how };
    if (flags['dry-run']) {
      const question = { ...wanted, trigger: 'cli', requestId: '' };
      return this.tell(flags, (control) => control.ask('previewRollback', question), { text: planFromHosts });
    }
    const doubt = `it is not known whether a rollback was queued\nnext: fraisier history ${fraise} ${environment}`;
    return this.steer(flags, 'rollback', doubt, async (control) => {
      const { requestRollback } = await import('../request-deployment.js');
      const { reconnectForMs } = readEnvironment();
      const limits = { control, forMs: reconnectForMs, say: (line: string) => this.complain(line) };
      return requestRollback(limits, wanted);
    });
  }
}
