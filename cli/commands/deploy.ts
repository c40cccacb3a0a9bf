import { Flags } from '@oclif/core';
import { NAMES } from '../command.js';
import { readEnvironment } from '../config.js';
import { SteeringCommand } from '../steering.js';
import { planFromHosts } from '../views/preview.js';

export class Deploy extends SteeringCommand {
  static override summary = 'Deploy and watch it live to the end; Ctrl-C detaches, it does not cancel';
  static override description =
    'Exit codes: 0 live (or unchanged, or accepted with --no-wait) · 1 failed or rolled back · 2 unknown fraise, ' +
    'environment or commit · 3 controller or agent away · 4 locked, paused, cancelled or superseded · 5 not allowed · 130 detached';
  static override args = { fraise: NAMES.fraise, environment: NAMES.environment };
  static override flags = {
    commit: Flags.string({
      description: "this commit; default: the newest of the environment's branch",
      helpValue: 'SHA',
      exclusive: ['branch'],
    }),
    branch: Flags.string({ description: 'the newest commit of this branch', helpValue: 'BRANCH' }),
    force: Flags.boolean({ description: 'also when this version is live already' }),
    hosts: Flags.string({
      description: 'only these hosts; may be repeated',
      helpValue: 'HOST',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    'skip-unreachable': Flags.boolean({
      description: 'leave hosts that are away as they are; refused when one of them runs the migrations',
    }),
    'dry-run': Flags.boolean({ description: 'only ask the hosts what would change there' }),
    'no-wait': Flags.boolean({ description: 'return as soon as it is queued', exclusive: ['dry-run'] }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Deploy);
    const wanted = {
      fraise: args.fraise,
      environment: args.environment,
      commit: flags.commit ?? '',
      branch: flags.branch ?? '',
      force: flags.force,
      hosts: flags.hosts ?? [],
      skipUnreachable: flags['skip-unreachable'],
    };
    if (flags['dry-run']) {
      const question = { ...wanted, trigger: 'cli', requestId: '' };
      return this.tell(flags, (control) => control.ask('previewDeployment', question), {
        text: planFromHosts,
      });
    }
    const doubt = `it is not known whether a deployment was queued\nnext: fraisier history ${args.fraise} ${args.environment}`;
    return this.steer(flags, 'deploy', doubt, async (control) => {
      const { requestDeployment } = await import('../request-deployment.js');
      const { reconnectForMs } = readEnvironment();
      return requestDeployment(
        { control, forMs: reconnectForMs, say: (line) => this.complain(line) },
        wanted,
      );
    });
  }
}
