import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';

/** What was said on the command line; what is left out or empty comes from the environment, then from the defaults. */
export interface AgentOptions {
  readonly controllers?: readonly string[] | undefined;
  /** A file, or `-` for standard input. */
  readonly joinTokenFile?: string | null | undefined;
  readonly state?: string | null | undefined;
  readonly policy?: string | null | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface AgentConfig {
  /** `HOST[:PORT]` of command line ports; may be empty once enrolled. */
  readonly controllers: readonly string[];
  readonly joinTokenFile: string | null;
  /** The token itself, when the environment carried it. */
  readonly joinToken: string | null;
  readonly state: string;
  readonly policy: string;
  readonly logLevel: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** The one place that reads the environment of the process. */
export function processEnvironment(): Environment {
  return process.env;
}

/**
 * Flags win over `FRAISIER_CONTROLLER`, `FRAISIER_JOIN_TOKEN`, `FRAISIER_STATE`, `FRAISIER_POLICY`, these over the defaults:
 * `/var/lib/fraisier/agent` and `/etc/fraisier/policy.yaml` for root, else below `${XDG_STATE_HOME:-~/.local/state}`.
 * Throws FraisierError `usage`.
 */
export function readConfig(options: AgentOptions, environment: Environment, uid: number): AgentConfig {
  const said = (option: string | null | undefined, name: string): string | null =>
    option || environment[name] || null;
  const home = environment['XDG_STATE_HOME'] || join(environment['HOME'] || homedir(), '.local', 'state');
  const isRoot = uid === 0;
  const state = resolve(
    said(options.state, 'FRAISIER_STATE') ??
      (isRoot ? '/var/lib/fraisier/agent' : join(home, 'fraisier', 'agent')),
  );
  const policy =
    said(options.policy, 'FRAISIER_POLICY') ??
    (isRoot ? '/etc/fraisier/policy.yaml' : join(state, 'policy.yaml'));
  const joinTokenFile = options.joinTokenFile || null;
  return {
    controllers: addresses(
      options.controllers?.length ? options.controllers : [environment['FRAISIER_CONTROLLER'] ?? ''],
    ),
    joinTokenFile,
    joinToken: joinTokenFile === null ? environment['FRAISIER_JOIN_TOKEN'] || null : null,
    state,
    policy: resolve(policy),
    logLevel: logLevel(environment['FRAISIER_LOG_LEVEL']),
  };
}

function addresses(given: readonly string[]): readonly string[] {
  const all = given.flatMap((text) => text.split(',')).map((address) => address.trim());
  const local = all.find((address) => address.startsWith('unix:'));
  if (local === undefined) return [...new Set(all.filter((address) => address !== ''))];
  throw new FraisierError('usage', `an agent cannot use ${local}: it connects over TLS, say HOST[:PORT]`);
}

function logLevel(text: string | undefined): string {
  if (text === undefined || text === '') return 'info';
  if (LEVELS.includes(text)) return text;
  throw new FraisierError('usage', `FRAISIER_LOG_LEVEL is "${text}": known are ${LEVELS.join(', ')}`);
}
