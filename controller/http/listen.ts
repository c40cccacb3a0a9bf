import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FraisierError } from '../../proto/error-codes.js';

export interface Listening {
  /** `HOST:PORT` with the port that was taken. */
  readonly address: string;
  /** Takes no new request, waits for those in hand (at most `drainMs`), then closes every connection. */
  close(): Promise<void>;
}

/** Serves requests on `HOST:PORT` (port 0: any free one; no host: all addresses). Throws when it cannot be listened on. */
export async function listen(
  listener: RequestListener,
  address: string,
  drainMs: number,
): Promise<Listening> {
  const { host, port } = parseAddress(address);
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
    },
    listener,
  );
  server.listen(port, host);
  await once(server, 'listening');
  return { address: addressOf(server), close: () => drain(server, drainMs) };
}

function parseAddress(address: string): { host: string | undefined; port: number } {
  const parts = /^(.*?):(\d{1,5})$/.exec(address);
  const port = Number(parts?.[2]);
  if (parts === null || port > 65_535) {
    throw new FraisierError('usage', `not an address to listen on: ${address}`, { hint: 'write HOST:PORT' });
  }
  const host = (parts[1] as string).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? undefined : host, port };
}

function addressOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

async function drain(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  const deadline = performance.now() + drainMs;
  while (performance.now() < deadline) {
    // A connection that was in use when the server closed becomes idle later; nobody else would close it.
    server.closeIdleConnections();
    if ((await Promise.race([closed, sleep(25, 'waiting', { ref: false })])) !== 'waiting') return;
  }
  server.closeAllConnections();
  await closed;
}
