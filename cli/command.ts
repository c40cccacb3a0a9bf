import { Args, Command, Flags } from '@oclif/core';
import type { Control } from './client.js';
import { readEnvironment } from './config.js';
import { forTerminal } from './for-terminal.js';
import { toJson, type Json } from './json.js';
import { lookFor, type Look } from './look.js';

/** The flags that every command has which speaks to a controller. */
export const CONTROLLER_FLAGS = {
  controller: Flags.string({
    description:
      "the controller: HOST[:PORT] (port 9090) or unix:PATH; default: the current context of `fraisier login`, else this machine's socket",
    env: 'FRAISIER_CONTROLLER',
    helpValue: 'ADDRESS',
    helpGroup: 'GLOBAL',
  }),
  'token-file': Flags.string({
    description:
      'a file with an API token, - for standard input; default: FRAISIER_TOKEN, else the one stored by `fraisier login`',
    helpValue: 'FILE',
    helpGroup: 'GLOBAL',
  }),
  context: Flags.string({
    description: 'a stored context by its name; wins over --controller',
    helpValue: 'NAME',
    helpGroup: 'GLOBAL',
  }),
};

/** The flags that say how an answer looks. */
export const OUTPUT_FLAGS = {
  json: Flags.boolean({
    description: 'print the answer as JSON, and an error as {"error":{code,message,hint}} on stderr',
    helpGroup: 'GLOBAL',
  }),
  'no-color': Flags.boolean({
    description: 'no colours (also: NO_COLOR, or a stdout that is no terminal)',
    helpGroup: 'GLOBAL',
  }),
};

export const GLOBAL_FLAGS = { ...CONTROLLER_FLAGS, ...OUTPUT_FLAGS };

export interface OutputFlags {
  readonly json: boolean;
  readonly 'no-color': boolean;
}

export interface GlobalFlags extends OutputFlags {
  readonly controller?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly context?: string | undefined;
}

/** What an answer looks like: the text for people, and the JSON where it is not simply the message. */
export interface Views<T> {
  readonly text: (answer: T, look: Look) => string;
  readonly json?: (answer: T) => Json;
}

/** A command of the program. `run` answers the exit code. */
export abstract class FraisierCommand extends Command {
  abstract override run(): Promise<number>;

  /** The answer, on stdout. */
  protected print<T>(flags: OutputFlags, answer: T, views: Views<T>): void {
    const json = views.json ?? toJson;
    process.stdout.write(
      flags.json ? `${JSON.stringify(json(answer))}\n` : views.text(forTerminal(answer), this.look(flags)),
    );
  }

  /** Everything that is not the answer, on stderr. */
  protected complain(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  protected look(flags: OutputFlags): Look {
    return lookFor(process.stdout, readEnvironment(), flags, new Date());
  }
}

/** A command that asks the controller. */
export abstract class ClientCommand extends FraisierCommand {
  static override baseFlags = GLOBAL_FLAGS;

  /** Connects, asks and prints. The exit code is 0: whoever asked has the answer. */
  protected async tell<T>(
    flags: GlobalFlags,
    ask: (control: Control) => Promise<T>,
    views: Views<T>,
  ): Promise<number> {
    this.print(flags, await this.connected(flags, ask), views);
    return 0;
  }

  /** The client is loaded only now: `--help` does without it. */
  protected async connected<T>(flags: GlobalFlags, act: (control: Control) => Promise<T>): Promise<T> {
    const { withControl } = await import('./connect.js');
    const { controller, context } = flags;
    return withControl({ controller, context, tokenFile: flags['token-file'] }, readEnvironment(), act);
  }
}

/** The arguments that name things. */
export const NAMES = {
  deployment: Args.string({ description: 'a deployment, like d_…', required: true }),
  fraise: Args.string({ description: 'a fraise', required: true }),
  environment: Args.string({ description: 'one of its environments', required: true }),
  anyFraise: Args.string({ description: 'only this fraise' }),
  anyEnvironment: Args.string({ description: 'only this environment of it' }),
};
