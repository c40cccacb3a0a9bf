import { FraisierError } from './error-codes.js';

export interface HostAndPort {
  /** A name or an IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const SHAPE =
  /^(?:\[([\dA-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:[\]]+)|([\dA-Fa-f]*:[\dA-Fa-f:.]*:[\dA-Fa-f:.]*))(?::(\d{1,5}))?$/;

/** Takes `HOST[:PORT]` or `[IPV6]:PORT` apart. Throws FraisierError `usage` when it is neither. */
export function parseAddress(address: string, defaultPort: number): HostAndPort {
  const match = SHAPE.exec(address.trim());
  const host = match?.[1] ?? match?.[2] ?? match?.[3];
  const port = match?.[4] === undefined ? defaultPort : Number(match[4]);
  if (host === undefined || port > 65_535) {
    throw new FraisierError(
      'usage',
      `"${address}" is no address: wanted is HOST or HOST:PORT, with an IPv6 address in brackets`,
    );
  }
  return { host, port };
}

/** The other direction; IPv6 gets its brackets back. */
export function formatAddress({ host, port }: HostAndPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
