import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { formatAddress, parseAddress } from '../proto/address.js';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** What is known about the names of this machine. */
export interface Machine {
  readonly hostname: string;
  /** Addresses of its interfaces, without loopback and link-local ones. */
  readonly addresses: readonly string[];
}

/** Read anew at every call: interfaces come and go. */
export function thisMachine(): Machine {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reachable = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return { hostname: hostname(), addresses: reachable.map(({ address }) => address) };
}

/** Every name and address under which a caller may verify this controller's certificate. */
export function certificateNames(
  advertise: readonly string[],
  listening: readonly string[],
  machine: Machine,
): string[] {
  const bound = listening.map(hostOf).filter((host) => !isWildcard(host));
  const names = [...advertise, ...LOOPBACK, ...bound, machine.hostname, ...machine.addresses];
  return [...new Set(names)].filter(
    (name) => isIP(name) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9._-]*)$/.test(name),
  );
}

/**
 * The hosts to tell others for this controller's listening address: what the operator advertises; else the name under
 * which the asker reached us; else the address listened on, or the machine's own when that is every address.
 */
export function hostsToTell(
  advertise: readonly string[],
  listening: string,
  seenAs: string,
  machine: Machine,
): string[] {
  if (advertise.length > 0) return [...advertise].sort((a, b) => Number(b === seenAs) - Number(a === seenAs));
  const bound = hostOf(listening);
  if (seenAs !== '') return [seenAs];
  if (!isWildcard(bound)) return [bound];
  return [machine.addresses.find((address) => isIP(address) === 4) ?? machine.hostname];
}

/** Whether a name means the same machine wherever it is used. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host);
}

/** The same port at another host. */
export function atHost(host: string, listening: string): string {
  return formatAddress({ host, port: parseAddress(listening, 0).port });
}

function hostOf(listening: string): string {
  return parseAddress(listening, 0).host;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
