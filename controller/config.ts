import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { formatAddress, parseAddress } from '../proto/address.js';
import { FraisierError } from '../proto/error-codes.js';
import { readDoor, type Door, type DoorOptions } from './config-door.js';
import { readKeeping } from './config-retention.js';
import type { Keeping } from './db/retention.js';

/** What was said on the command line; what is left out comes from the environment, then from the defaults. */
export interface ControllerOptions extends DoorOptions {
  readonly config?: string | undefined;
  readonly http?: string | undefined;
  readonly grpc?: string | undefined;
  readonly agents?: string | undefined;
  /** Names and addresses under which agents and people reach this controller. */
  readonly advertise?: readonly string[] | undefined;
  readonly socket?: string | undefined;
  readonly state?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly firstTokenFile?: string | undefined;
  readonly publicUrl?: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ControllerConfig {
  /** Applied at start; null: the one in the database stays. */
  readonly config: string | null;
  readonly http: string;
  readonly grpc: string;
  readonly agents: string;
  /** Empty: found out from the addresses of this machine. */
  readonly advertise: readonly string[];
  readonly socket: string;
  readonly state: string;
  readonly keyFile: string;
  /** Where the first admin token goes; null: to standard error. */
  readonly firstTokenFile: string | null;
  /** Where people find this controller, for links; without a slash at its end. Null: no links. */
  readonly publicUrl: string | null;
  /** Null: the embedded PostgreSQL below the state folder. */
  readonly databaseUrl: string | null;
  readonly leaseMs: number;
  readonly logLevel: string;
  readonly door: Door;
  readonly keeping: Keeping;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Flags win over `FRAISIER_…`, these over the defaults: `/var/lib/fraisier/controller` and `/run/fraisier` for root,
 * else below `${XDG_STATE_HOME:-~/.local/state}/fraisier`. Throws FraisierError `usage`.
 */
export function readConfig(
  options: ControllerOptions,
  environment: Environment,
  uid: number,
): ControllerConfig {
  const said = (option: string | undefined, name: string): string | undefined =>
    option ?? (environment[name] || undefined);
  const folder = join(
    environment['XDG_STATE_HOME'] || join(environment['HOME'] || homedir(), '.local', 'state'),
    'fraisier',
  );
  const isRoot = uid === 0;
  const state = absolute(
    said(options.state, 'FRAISIER_STATE') ??
      (isRoot ? '/var/lib/fraisier/controller' : join(folder, 'controller')),
  );
  const socket =
    said(options.socket, 'FRAISIER_SOCKET') ??
    (isRoot ? '/run/fraisier/control.sock' : join(folder, 'control.sock'));
  const firstTokenFile = said(options.firstTokenFile, 'FRAISIER_FIRST_TOKEN_FILE');
  return {
    config: said(options.config, 'FRAISIER_CONFIG') ?? null,
    http: listening(said(options.http, 'FRAISIER_HTTP'), 8080),
    grpc: listening(said(options.grpc, 'FRAISIER_GRPC'), 9090),
    agents: listening(said(options.agents, 'FRAISIER_AGENTS'), 9091),
    advertise: names(options.advertise ?? [environment['FRAISIER_ADVERTISE'] ?? '']),
    socket: absolute(socket),
    state,
    keyFile: absolute(said(options.keyFile, 'FRAISIER_KEY_FILE') ?? join(state, 'key')),
    firstTokenFile: firstTokenFile === undefined ? null : absolute(firstTokenFile),
    publicUrl: publicUrl(said(options.publicUrl, 'FRAISIER_PUBLIC_URL')),
    databaseUrl: environment['DATABASE_URL'] || null,
    leaseMs: leaseMs(environment['FRAISIER_LEASE_MS']),
    logLevel: logLevel(environment['FRAISIER_LOG_LEVEL']),
    door: readDoor(options, said),
    keeping: readKeeping(environment),
  };
}

/** `HOST[:PORT]`, or `:PORT` for every address of this machine. */
function listening(text: string | undefined, defaultPort: number): string {
  const address = text ?? ':';
  if (address === ':') return `0.0.0.0:${defaultPort}`;
  return formatAddress(parseAddress(address.startsWith(':') ? `0.0.0.0${address}` : address, defaultPort));
}

function absolute(path: string): string {
  return isAbsolute(path) ? path : resolve(path);
}

function names(given: readonly string[]): readonly string[] {
  const all = given.flatMap((text) => text.split(',')).map((name) => name.trim());
  const wrong = all.find((name) => !/^[A-Za-z0-9.:_-]*$/.test(name));
  if (wrong === undefined) return [...new Set(all.filter((name) => name !== ''))];
  throw new FraisierError(
    'usage',
    `--advertise "${wrong}" is no name: wanted are host names or IP addresses without port`,
  );
}

function publicUrl(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/.test(text) && URL.canParse(text))
    return text.replace(/\/+$/, '');
  throw new FraisierError('usage', `--public-url "${text}" is no address: wanted is https://HOST[/PATH]`);
}

function leaseMs(text: string | undefined): number {
  if (text === undefined || text === '') return 30_000;
  const ms = Number(text);
  if (Number.isInteger(ms) && ms >= 100 && ms <= 3_600_000) return ms;
  throw new FraisierError(
    'usage',
    `FRAISIER_LEASE_MS is "${text}": wanted is a number of milliseconds from 100 to 3600000`,
  );
}

function logLevel(text: string | undefined): string {
  if (text === undefined || text === '') return 'info';
  if (LEVELS.includes(text)) return text;
  throw new FraisierError('usage', `FRAISIER_LOG_LEVEL is "${text}": known are ${LEVELS.join(', ')}`);
}
