import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FraisierError } from '../../proto/error-codes.js';
import { errorBody, type ErrorAnswer } from './error-answer.js';

export interface Listening {
  /** `HOST:PORT` with the port that was taken. */
  readonly address: string;
  /**
   * Takes no new connection, answers what is in hand (for at most `drainMs`) and 503 to what comes over a connection that
   * is still open, then closes every connection.
   */
  close(): Promise<void>;
}

/** How long a slow peer may take; all in milliseconds. */
export interface Patience {
  /** For the headers of a request. */
  readonly headersMs: number;
  /** For the whole of a request. */
  readonly requestMs: number;
  /** Between two requests of one connection; longer than reverse proxies wait, so that they close it. */
  readonly idleMs: number;
  /** How often that is looked at. */
  readonly checkMs: number;
}

export const PATIENCE: Patience = {
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 65_000,
  checkMs: 5_000,
};

/** Serves requests on `HOST:PORT` (port 0: any free one; no host: all addresses). Throws when it cannot be listened on. */
export async function listen(
  listener: RequestListener,
  address: string,
  drainMs: number,
  patience: Patience = PATIENCE,
): Promise<Listening> {
  const { host, port } = parseAddress(address);
  const closing = new AbortController();
  const server = createServer(
    {
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.idleMs,
      connectionsCheckingInterval: patience.checkMs,
    },
    (request, response) => {
      if (closing.signal.aborted) answerClosing(response);
      else listener(request, response);
    },
  );
  server.on('clientError', answerBroken);
  server.listen(port, host);
  await once(server, 'listening');
  const close = (): Promise<void> => {
    closing.abort();
    return drain(server, drainMs);
  };
  return { address: addressOf(server), close };
}

const CLOSING: ErrorAnswer = {
  status: 503,
  errorType: 'shutting_down',
  message: 'this controller is being stopped; nothing was stored',
  recoveryHint: 'send it again in a moment',
  retryAfter: 5,
};

function answerClosing(response: ServerResponse): void {
  const headers = {
    'Content-Type': 'application/json',
    'Retry-After': CLOSING.retryAfter,
    Connection: 'close',
  };
  response.writeHead(CLOSING.status, headers).end(JSON.stringify(errorBody(CLOSING)));
}

/** What is no request, or was not sent in time, has no response: it is written to the connection, which is closed. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, errorType, message] = BROKEN[error.code ?? ''] ?? MALFORMED;
  const body = JSON.stringify({ error_type: errorType, message, recovery_hint: 'send it again' });
  const head = [`HTTP/1.1 ${status}`, 'Connection: close', 'Content-Type: application/json'];
  socket.end(`${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

type Broken = readonly [status: string, errorType: string, message: string];

const MALFORMED: Broken = ['400 Bad Request', 'validation_error', 'the request is malformed'];

const BROKEN: Readonly<Record<string, Broken>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request_timeout', 'the request was not sent in time'],
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'validation_error',
    'the headers are too long',
  ],
};

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
