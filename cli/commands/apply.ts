import { Args, Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { applied } from '../views/applied.js';

export class Apply extends ClientCommand {
  static override summary =
    'Give the controller a new configuration; shows the difference; every version is kept';
  static override args = {
    file: Args.string({ description: 'default: ./fraises.yaml, ./config/fraises.yaml' }),
  };
  static override flags = { 'dry-run': Flags.boolean({ description: 'only show what would change' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Apply);
    const { readConfigurationFile } = await import('../configuration-file.js');
    const { file, text } = await readConfigurationFile(args.file);
    const dryRun = flags['dry-run'];
    return this.tell(
      flags,
      (control) => control.ask('applyConfiguration', { text, fileName: file, dryRun }),
      {
        text: (answer, look) => applied(answer, dryRun, look),
      },
    );
  }
}
