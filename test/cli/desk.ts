import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { runCommand, type CommandOptions, type CommandOutput } from '../support/run-command.js';
import { FakeController } from './fake-controller.js';
import { Warm } from './warm.js';

/** A fake controller, a home folder of its own, and the command line. */
export interface Desk {
  readonly controller: FakeController;
  readonly folder: string;
  readonly socket: string;
  /**
   * Runs `fraisier …` against the controller's socket, unless an address or a context says otherwise. As a program of its own
   * when it is given anything but an environment, runs beside another one, or only says its version.
   */
  fraisier(args: readonly string[], options?: CommandOptions): Promise<CommandOutput>;
  /** A file with this text below the desk's folder. */
  file(name: string, text: string): Promise<string>;
  clear(): Promise<void>;
}

export async function aDesk(): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'fraisier-cli-'));
  const socket = join(folder, 'control.sock');
  const controller = await FakeController.start(socket);
  const home = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_STATE_HOME: join(folder, 'state'),
    FRAISIER_RECONNECT_FOR: '5',
  };
  const warm = await Warm.start(plainEnvironment());
  return {
    controller,
    folder,
    socket,
    fraisier: (args, { environment = {}, ...options } = {}) => {
      const all = {
        ...plainEnvironment(),
        ...home,
        FRAISIER_CONTROLLER: `unix:${socket}`,
        ...environment,
      };
      const plain = Object.keys(options).length === 0 && args[0] !== '--version';
      if (plain && !warm.busy) return warm.run({ argv: args, cwd: folder, environment: given(all) });
      const here = { cwd: folder, timeoutMs: 15_000, ...options, environment: all };
      return runCommand([process.execPath, FRAISIER, ...args], here);
    },
    file: async (name, text) => {
      const path = join(folder, name);
      await writeFile(path, text);
      return path;
    },
    clear: async () => {
      await warm.stop();
      controller.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function given(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(environment).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}
