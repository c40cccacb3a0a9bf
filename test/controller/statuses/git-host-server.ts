import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const REPOSITORY = 'acme/checkout';
export const COMMIT = 'c'.repeat(40);

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, string>;
}

/** What one request is answered with; nothing: as the API is documented to. */
export type Misbehaviour =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang'
  | 'reset';

/** A git host on loopback. */
export interface GitHostServer {
  readonly url: string;
  readonly received: readonly Received[];
  /** Requests that have not been answered. */
  readonly waiting: () => number;
  /** Asked for each request, in order. */
  misbehave: (request: Received, index: number) => Misbehaviour | null;
  /** Answers everything that hangs, as documented, and everything from now on. */
  release(): void;
  close(): Promise<void>;
}

/** How one API checks what it is sent: the path, who may, and what it takes. */
export interface StatusApi {
  readonly path: RegExp;
  readonly isAllowed: (headers: IncomingMessage['headers']) => boolean;
  readonly fault: (body: Record<string, string>) => string | null;
  readonly accepted: number;
  readonly unprocessable: number;
}

/** Starts one that speaks `api` on a port of its own. */
export async function startGitHost(api: StatusApi): Promise<GitHostServer> {
  const received: Received[] = [];
  const hanging: (() => void)[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, string>;
    const one: Received = { path: request.url ?? '', headers: request.headers, body };
    const index = received.push(one) - 1;
    const answer = host.misbehave(one, index);
    if (answer === 'reset') request.socket.resetAndDestroy();
    else if (answer === 'hang') hanging.push(() => respond(response, documented(api, request.method, one)));
    else respond(response, answer ?? documented(api, request.method, one));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host: GitHostServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    waiting: () => hanging.length,
    misbehave: () => null,
    release() {
      host.misbehave = () => null;
      for (const answer of hanging.splice(0)) answer();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return host;
}

function respond(response: ServerResponse, answer: Exclude<Misbehaviour, string>): void {
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(answer.body ?? '{}');
}

function documented(api: StatusApi, method: string | undefined, { path, headers, body }: Received) {
  if (!api.isAllowed(headers)) return { status: 401, body: '{"message":"Bad credentials"}' };
  if (method !== 'POST' || !api.path.test(path)) return { status: 404, body: '{"message":"Not Found"}' };
  const fault = api.fault(body);
  if (fault !== null) return { status: api.unprocessable, body: JSON.stringify({ message: fault }) };
  return { status: api.accepted, body: JSON.stringify({ id: 1, ...body }) };
}
