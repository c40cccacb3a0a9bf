import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What it answers to everybody, instead of asking for the token. */
export interface Answering {
  /** Only this status. */
  readonly status?: number;
  /** A redirect to the same path there. */
  readonly movedTo?: string;
}

/**
 * A real git host on loopback, over http: it serves the repositories below a folder to whoever knows the token as a
 * password. `asked` are the passwords it was given, empty for a request without.
 */
export async function privateGitHost(
  folder: string,
  token: string,
  use: (address: string, asked: readonly string[]) => Promise<void>,
  { status, movedTo }: Answering = {},
): Promise<void> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const given = passwordOf(request);
    asked.push(given);
    if (status !== undefined) response.writeHead(status).end();
    else if (movedTo !== undefined)
      response.writeHead(301, { location: `${movedTo}${request.url ?? ''}` }).end();
    else if (given !== token) response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    else serve(folder, request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}

function passwordOf({ headers }: IncomingMessage): string {
  const [, encoded = ''] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? [];
  return Buffer.from(encoded, 'base64')
    .toString()
    .replace(/^[^:]*:/, '');
}

/** By git's own CGI program. */
function serve(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://here');
  const git = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: [request.headers['git-protocol']].flat()[0],
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(git.stdin.on('error', () => undefined));
  const parts: Buffer[] = [];
  git.stdout.on('data', (part: Buffer) => parts.push(part));
  git.on('close', () => answer(Buffer.concat(parts), response));
}

function answer(printed: Buffer, response: ServerResponse): void {
  const end = printed.indexOf('\r\n\r\n');
  let status = 200;
  for (const line of printed.subarray(0, end).toString('latin1').split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else if (name !== '') response.setHeader(name, value);
  }
  response.writeHead(status).end(printed.subarray(end + 4));
}
