import { Errors, Flags } from '@oclif/core';
import { ClientCommand } from '../command.js';
import { parseDuration } from '../durations.js';

export class AgentsToken extends ClientCommand {
  static override summary = 'Make a one-time token with which a host joins';
  static override description =
    'The token stands alone on stdout, what to paste on the host on stderr; --json prints {token, expires_at, command}.';
  static override flags = {
    name: Flags.string({ description: 'the name the host will have', required: true, helpValue: 'HOST' }),
    label: Flags.string({
      description: 'a label the host will have; may be repeated',
      helpValue: 'KEY=VALUE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    ttl: Flags.string({ description: 'how long it can be used', default: '1h', helpValue: 'DURATION' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(AgentsToken);
    const wanted = { name: flags.name, labels: labels(flags.label ?? []), ttlMs: parseDuration(flags.ttl) };
    return this.tell(flags, (control) => control.ask('createJoinToken', wanted), {
      text: ({ token, command, expiresAt }) => {
        // The command carries the token, which is to stand on stdout alone.
        if (command !== '') this.complain(`on the host: ${command.replaceAll(token, 'TOKEN')}`);
        if (expiresAt !== undefined) this.complain(`usable once, until ${expiresAt.toISOString()}`);
        return `${token}\n`;
      },
    });
  }
}

function labels(written: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    written.map((label) => {
      const [, key, value] = /^([^=\s]+)=(.*)$/.exec(label) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new Errors.CLIError(`"${label}" is no label: wanted is KEY=VALUE`);
    }),
  );
}
