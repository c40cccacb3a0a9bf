import { isIP } from 'node:net';
import { FraisierError } from '../proto/error-codes.js';
import { bytesOf, countOf, type Setting } from './config-amounts.js';

/** What is let in over HTTP. */
export interface Door {
  readonly bodyLimitBytes: number;
  /** A minute, from one address, of those that are not verified. */
  readonly rateLimit: number;
  /** A minute, verified, of one repository. */
  readonly repositoryLimit: number;
  /** Addresses and networks of reverse proxies, or Express's words for them. */
  readonly trustedProxies: readonly string[];
}

export interface DoorOptions {
  readonly bodyLimit?: string | undefined;
  readonly rateLimit?: string | undefined;
  readonly repositoryRateLimit?: string | undefined;
  readonly trustedProxies?: readonly string[] | undefined;
}

/** As much as GitHub sends. */
const BODY_LIMIT = 25 * 1024 * 1024;

/** `said` takes what the command line says, else the environment. Throws FraisierError `usage`. */
export function readDoor(
  options: DoorOptions,
  said: (option: string | undefined, name: string) => string | undefined,
): Door {
  const setting = (option: string | undefined, flag: string, name: string): Setting => ({
    name: option === undefined ? name : flag,
    text: said(option, name),
  });
  const proxies = options.trustedProxies ?? [said(undefined, 'FRAISIER_TRUSTED_PROXIES') ?? ''];
  return {
    bodyLimitBytes: bytesOf(setting(options.bodyLimit, '--body-limit', 'FRAISIER_BODY_LIMIT'), BODY_LIMIT),
    rateLimit: countOf(setting(options.rateLimit, '--rate-limit', 'FRAISIER_RATE_LIMIT'), 600),
    repositoryLimit: countOf(
      setting(options.repositoryRateLimit, '--repository-rate-limit', 'FRAISIER_REPOSITORY_RATE_LIMIT'),
      600,
    ),
    trustedProxies: proxiesOf(proxies),
  };
}

const KNOWN_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

function proxiesOf(given: readonly string[]): readonly string[] {
  const all = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const wrong = all.find((text) => text !== '' && !isNetwork(text));
  if (wrong === undefined) return [...new Set(all.filter((text) => text !== ''))];
  throw new FraisierError(
    'usage',
    `--trusted-proxy "${wrong}" is no address: wanted are addresses or networks of reverse proxies, like 10.0.0.7 or 10.0.0.0/8, or ${KNOWN_NETWORKS.join(', ')}`,
  );
}

function isNetwork(text: string): boolean {
  if (KNOWN_NETWORKS.includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
