import { Args } from '@oclif/core';
import { FraisierError } from '../../proto/error-codes.js';
import { ClientCommand, NAMES } from '../command.js';
import { chainOfCauses } from '../views/why.js';

export class Why extends ClientCommand {
  static override summary =
    'What a deployment, or an environment, waits for or was stopped by, and what would clear it';
  static override args = {
    subject: Args.string({
      name: 'FRAISE|ID',
      description: 'a fraise, or a deployment, like d_…',
      required: true,
    }),
    environment: NAMES.anyEnvironment,
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Why);
    const question = questionOf(args.subject, args.environment ?? '');
    return this.tell(flags, (control) => control.ask('explain', question), { text: chainOfCauses });
  }
}

function questionOf(subject: string, environment: string) {
  if (environment !== '') return { deploymentId: '', fraise: subject, environment };
  if (subject.startsWith('d_')) return { deploymentId: subject, fraise: '', environment: '' };
  throw new FraisierError('usage', `which environment of ${subject}?`, {
    hint: `fraisier why ${subject} ENV, or fraisier why ID`,
  });
}
