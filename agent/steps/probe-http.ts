import { readFile } from 'node:fs/promises';
import { get as getPlain } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import type { RequestOptions } from 'node:https';
import { FraisierError } from '../../proto/error-codes.js';
import type { HttpProbe } from '../../proto/gen/fraisier/v1/plan.js';
import { guarded, mustAllow, notLinkLocal, onlyThisHost } from './guarded-lookup.js';
import { judgeResponse } from './judge-health.js';
import type { Verdict } from './judge-health.js';
import { fillHeaders } from './probe-headers.js';

/** More of a body is not read. */
const BODY_BYTES = 256 * 1024;

/**
 * Asks once, over a connection of its own, and follows no redirect. Headers with values of this host's environment file go
 * to no other host. Throws when there is no answer: `health_misconfigured` where waiting cannot help.
 */
export async function probeHttp(
  spec: HttpProbe,
  environmentFile: string,
  signal: AbortSignal,
): Promise<Verdict> {
  const address = addressOf(spec.url);
  const filled = await fillHeaders(spec.headers, environmentFile);
  const rule = filled.private ? onlyThisHost : notLinkLocal;
  mustAllow(rule, address.hostname.replace(/^\[|\]$/g, ''));
  const { status, body } = await request(address, {
    agent: false,
    signal,
    lookup: guarded(rule),
    headers: { 'user-agent': 'fraisier', ...filled.headers },
    ...(await trust(spec)),
  });
  return judgeResponse(status, filled.mask(body), spec);
}

function addressOf(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address !== null && ['http:', 'https:'].includes(address.protocol)) return address;
  throw new FraisierError('health_misconfigured', `"${url}" is not an address of http or https`, {
    hint: 'correct health_check.url',
  });
}

async function trust({ tlsCaFile, tlsServerName, tlsInsecure }: HttpProbe): Promise<RequestOptions> {
  return {
    ...(tlsCaFile === '' ? {} : { ca: await authorities(tlsCaFile) }),
    ...(tlsServerName === '' ? {} : { servername: tlsServerName }),
    ...(tlsInsecure ? { rejectUnauthorized: false } : {}),
  };
}

async function authorities(file: string): Promise<Buffer> {
  return readFile(file).catch((error: Error) => {
    const message = `the authorities to trust cannot be read: ${error.message}`;
    throw new FraisierError('health_misconfigured', message, { hint: `on the host: ls -l ${file}` });
  });
}

function request(address: URL, options: RequestOptions): Promise<{ status: number; body: string }> {
  const get = address.protocol === 'https:' ? getSecure : getPlain;
  return new Promise((done, refuse) => {
    get(address, options, (response) => {
      bodyOf(response).then((body) => done({ status: Number(response.statusCode), body }), refuse);
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
