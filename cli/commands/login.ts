import { Args, Flags } from '@oclif/core';
import { FraisierCommand, OUTPUT_FLAGS } from '../command.js';
import { readEnvironment } from '../config.js';

export class Login extends FraisierCommand {
  static override summary = 'Remember a controller and a token for it';
  static override description =
    'The token is read from --token-file, FRAISIER_TOKEN or standard input, never from an argument. The controller must ' +
    'prove to be the one the token is for before the token is sent. Stored in ~/.config/fraisier/contexts.json, readable by you alone.';
  static override args = {
    address: Args.string({
      name: 'ADDRESS',
      description: 'HOST[:PORT] (port 9090) or unix:PATH',
      required: true,
    }),
  };
  static override flags = {
    'token-file': Flags.string({
      description: 'a file with an API token, - for standard input',
      helpValue: 'FILE',
    }),
    context: Flags.string({
      description: "the name to store it under; default: the host's name",
      helpValue: 'NAME',
    }),
    ...OUTPUT_FLAGS,
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Login);
    const { login } = await import('../login.js');
    const wish = { address: args.address, tokenFile: flags['token-file'], name: flags.context };
    if (wish.tokenFile === undefined && process.stdin.isTTY)
      this.complain('paste the API token, then Enter and Ctrl-D:');
    const answer = await login(wish, readEnvironment());
    this.print(flags, answer, {
      text: ({ context, address, name, role, controllerVersion }) =>
        `logged in to ${address} (fraisier ${controllerVersion}) as ${name}, role ${role}; context ${context} is now the current one\n`,
    });
    return 0;
  }
}
