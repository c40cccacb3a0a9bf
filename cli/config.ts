import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the environment says; read once per command, and nowhere else. */
export interface CliEnvironment {
  /** `FRAISIER_TOKEN`: an API token; it wins over the stored one. */
  readonly token: string | undefined;
  readonly contextsFile: string;
  /** Where a controller on this machine listens by default. */
  readonly localSocket: string;
  /** Where this host's agent finds its policy by default. */
  readonly policyFile: string;
  /** `FRAISIER_RECONNECT_FOR`, seconds: how long a controller that went away is waited for. */
  readonly reconnectForMs: number;
  /** False when `NO_COLOR` is set to anything, or the terminal is a dumb one. */
  readonly mayColour: boolean;
  readonly dumbTerminal: boolean;
}

const RECONNECT_SECONDS = 60;

/**
 * The defaults follow the rules of the controller and the agent. Socket: `FRAISIER_SOCKET`, else
 * `/run/fraisier/control.sock` for root, else `${XDG_STATE_HOME:-~/.local/state}/fraisier/control.sock`. Policy:
 * `/etc/fraisier/policy.yaml` for root, else in the agent's state folder.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
  uid: number = process.getuid?.() ?? 0,
): CliEnvironment {
  const home = env['HOME'] || homedir();
  const state = env['XDG_STATE_HOME'] || join(home, '.local', 'state');
  const seconds = Number(env['FRAISIER_RECONNECT_FOR'] ?? RECONNECT_SECONDS);
  return {
    token: env['FRAISIER_TOKEN'] || undefined,
    contextsFile: join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'fraisier', 'contexts.json'),
    localSocket:
      env['FRAISIER_SOCKET'] ||
      (uid === 0 ? '/run/fraisier/control.sock' : join(state, 'fraisier', 'control.sock')),
    policyFile:
      uid === 0
        ? '/etc/fraisier/policy.yaml'
        : join(env['FRAISIER_STATE'] || join(state, 'fraisier', 'agent'), 'policy.yaml'),
    reconnectForMs: (Number.isFinite(seconds) && seconds >= 0 ? seconds : RECONNECT_SECONDS) * 1000,
    mayColour: !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    dumbTerminal: env['TERM'] === 'dumb',
  };
}
