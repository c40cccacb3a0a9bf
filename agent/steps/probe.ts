import { lookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { get as getPlain } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { get as getSecure } from 'node:https';
import { BlockList, connect, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

/** What came back from one look at a service. */
export type ProbeAnswer =
  | { readonly got: 'response'; readonly status: number; readonly body: string }
  | { readonly got: 'connection' }
  | { readonly got: 'nothing'; readonly why: string };

/** More of a body is not read. */
const BODY_BYTES = 256 * 1024;

/**
 * Looks once at `http://`, `https://` or `tcp://host:port`, over a connection of its own, and follows no redirect. Link-local
 * addresses (a cloud's metadata service answers there, with credentials) are never asked. Ends within `timeoutMs`.
 */
export async function probe(url: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address === null) return nothing(`"${url}" is not an address`);
  const host = address.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) return nothing(`${host} is a link-local address`);
  const late = AbortSignal.timeout(timeoutMs);
  const ask = { 'http:': request, 'https:': request, 'tcp:': touch }[address.protocol];
  if (ask === undefined) return nothing(`health checks know http, https and tcp, not ${address.protocol}`);
  try {
    return await ask(address, host, AbortSignal.any([signal, late]));
  } catch (error) {
    if (signal.aborted) throw error;
    return nothing(late.aborted ? `no answer within ${timeoutMs} ms` : describe(error as Error));
  }
}

function nothing(why: string): ProbeAnswer {
  return { got: 'nothing', why };
}

/** Several addresses may have been tried: then the message is empty and the errors tell. */
function describe(error: Error): string {
  return String((error instanceof AggregateError ? error.errors[0] : error).message);
}

function request(address: URL, _host: string, signal: AbortSignal): Promise<ProbeAnswer> {
  const get = address.protocol === 'https:' ? getSecure : getPlain;
  const options: RequestOptions = {
    agent: false,
    signal,
    lookup: guardedLookup,
    headers: { 'user-agent': 'fraisier' },
  };
  return new Promise((done, refuse) => {
    get(address, options, (response) => {
      bodyOf(response).then(
        (body) => done({ got: 'response', status: Number(response.statusCode), body }),
        refuse,
      );
    }).once('error', refuse);
  });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length >= BODY_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8', 0, BODY_BYTES);
}

function touch(address: URL, host: string, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((done, refuse) => {
    const socket = connect({ host, port: Number(address.port), lookup: guardedLookup, signal });
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.destroy();
      done({ got: 'connection' });
    });
  });
}

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

/** Whether an address is of the link alone (169.254/16, fe80::/10), where clouds keep their metadata. */
export function isLinkLocal(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && linkLocal.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whatever a host's name service says, or does not. */
const LOCALHOST: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** Names are judged by what they resolve to, at the moment of connecting. */
export function guarded(resolve: typeof lookup): LookupFunction {
  return (hostname, options, callback) => {
    if (hostname === 'localhost') {
      if (options.all === true) callback(null, LOCALHOST);
      else callback(null, '127.0.0.1', 4);
      return;
    }
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error === null ? addresses.filter(({ address }) => !isLinkLocal(address)) : [];
      const [first] = allowed;
      if (first === undefined) callback(error ?? new Error(`${hostname} is a link-local address`), '', 4);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

const guardedLookup = guarded(lookup);
