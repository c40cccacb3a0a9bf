import { lookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FraisierError } from '../../proto/error-codes.js';

/** Why an address must not be asked, as the end of a sentence; empty when it may be. */
export type AddressRule = (address: string) => string;

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Link-local addresses (169.254/16, fe80::/10) are never asked: a cloud's metadata service answers there, with credentials. */
export const notLinkLocal: AddressRule = (address) =>
  isIn(linkLocal, address) ? 'is a link-local address' : '';

/** Only this host itself, by its loopback or one of its own addresses. */
export const onlyThisHost: AddressRule = (address) => {
  const own = Object.values(networkInterfaces()).flat();
  const here = isIn(loopback, address) || own.some((one) => one?.address === address);
  return (
    notLinkLocal(address) || (here ? '' : 'is not this host, and headers with ${…} are sent to no other')
  );
};

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Refuses an address that is written as one; a name is judged by the lookup. Throws `health_misconfigured`. */
export function mustAllow(rule: AddressRule, host: string): void {
  const fault = isIP(host) === 0 ? '' : rule(host);
  if (fault !== '') throw refused(host, fault);
}

/** Whatever a host's name service says, or does not. */
const LOCALHOST: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** Names are judged by what they resolve to, at the moment of connecting. */
export function guarded(rule: AddressRule, resolve: typeof lookup = lookup): LookupFunction {
  return (hostname, options, callback) => {
    const answer = (error: Error | null, addresses: readonly LookupAddress[]): void => {
      const allowed = error === null ? addresses.filter(({ address }) => rule(address) === '') : [];
      const [first] = allowed;
      const fault = addresses[0] === undefined ? 'has no address' : rule(addresses[0].address);
      if (first === undefined) callback(error ?? refused(hostname, fault), '', 4);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    };
    if (hostname === 'localhost') answer(null, LOCALHOST);
    else resolve(hostname, { ...options, all: true }, (error, found) => answer(error, found ?? []));
  };
}

function refused(host: string, fault: string): FraisierError {
  return new FraisierError('health_misconfigured', `${host} ${fault}`, {
    hint: 'let the health check ask the service on this host, e.g. at 127.0.0.1 (with `tls: { server_name }` where it has a certificate)',
  });
}
