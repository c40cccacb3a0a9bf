import { ClientCommand, NAMES } from '../command.js';
import { statusBlocks } from '../views/status.js';

export class Status extends ClientCommand {
  static override summary =
    'What runs where now: live and wanted version, health, drift, what is running or queued';
  static override args = { fraise: NAMES.anyFraise, environment: NAMES.anyEnvironment };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Status);
    const question = { fraise: args.fraise ?? '', environment: args.environment ?? '' };
    return this.tell(flags, (control) => control.ask('getStatus', question), { text: statusBlocks });
  }
}
