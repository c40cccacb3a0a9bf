import { Flags } from '@oclif/core';
import { ClientCommand, NAMES } from '../command.js';
import { readEnvironment } from '../config.js';

export class Logs extends ClientCommand {
  static override summary = 'What the steps of a deployment printed';
  static override description =
    'With --json, one chunk a line: {host, phase, step, attempt, offset, data, truncated, at}. Headings go to stderr, so that stdout is the output itself.';
  static override args = { id: NAMES.deployment };
  static override flags = {
    host: Flags.string({ description: 'only of this host', helpValue: 'HOST' }),
    step: Flags.string({ description: 'only of this step', helpValue: 'STEP' }),
    follow: Flags.boolean({ char: 'f', description: 'go on until the deployment has ended' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Logs);
    const request = {
      deploymentId: args.id,
      host: flags.host ?? '',
      step: flags.step ?? '',
      follow: flags.follow,
    };
    return this.connected(flags, async (control) => {
      // An unknown deployment or an absent controller is an error at once, not something to wait for.
      await control.ask('getDeployment', { id: args.id });
      const { printLogs } = await import('../print-logs.js');
      const { reconnectForMs } = readEnvironment();
      await printLogs(
        {
          control,
          reconnectForMs,
          json: flags.json,
          out: process.stdout,
          complain: (line) => this.complain(line),
        },
        request,
      );
      return 0;
    });
  }
}
