import { Args } from '@oclif/core';
import { FraisierCommand, OUTPUT_FLAGS } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { toJson } from '../json.js';
import { validated, type Validated } from '../views/validated.js';

export class Validate extends FraisierCommand {
  static override summary =
    'Check a configuration without a controller: file:line:column, what is wrong, what is allowed';
  static override description = '${NAME} is left unresolved. Exit codes: 0 usable (warnings allowed), 2 not.';
  static override args = {
    file: Args.string({ description: 'default: ./fraises.yaml, ./config/fraises.yaml' }),
  };
  static override flags = OUTPUT_FLAGS;

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Validate);
    const { readConfigurationFile } = await import('../configuration-file.js');
    const { checkFraises } = await import('../../controller/fraises/parse-fraises.js');
    const { file, text } = await readConfigurationFile(args.file);
    const { configuration, problems, warnings } = checkFraises(text);
    const fraises = configuration === null ? [] : Object.values(configuration.fraises);
    const environments = fraises.reduce((sum, fraise) => sum + Object.keys(fraise.environments).length, 0);
    const answer: Validated = {
      file,
      valid: problems.length === 0,
      fraises: fraises.length,
      environments,
      problems,
      warnings,
    };
    this.print(flags, answer, { text: validated, json: toJson });
    return answer.valid ? EXIT.done : EXIT.usage;
  }
}
