import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * `node git-server.js FOLDER ADDRESS PORT`: serves the bare repositories below FOLDER over HTTP, read-only, by git's own
 * CGI program, until it is killed.
 */
function main([folder = '', address = '', port = '']: readonly string[]): void {
  const server = createServer((request, response) => serve(folder, request, response));
  server.listen(Number(port), address);
}

function serve(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://here');
  const environment = {
    PATH: process.env['PATH'],
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: decodeURIComponent(pathname),
    QUERY_STRING: search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers['content-type'],
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
    GIT_PROTOCOL: [request.headers['git-protocol']].flat()[0],
  };
  const git = spawn('git', ['http-backend'], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  // A client that goes away in the middle is not ours to mend.
  request.pipe(git.stdin.on('error', () => undefined));
  response.on('error', () => undefined);
  answer(git.stdout, response);
}

/** What a CGI program prints: header lines, an empty line, the body. */
function answer(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0);
  output.on('data', (bytes: Buffer) => {
    if (response.headersSent) {
      response.write(bytes);
      return;
    }
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    writeHead(head.subarray(0, end).toString('latin1'), response);
    response.write(head.subarray(end + 4));
  });
  output.on('end', () => response.end());
}

function writeHead(text: string, response: ServerResponse): void {
  const headers = text.split('\r\n').map((line) => /^([^:]+):\s*(.*)$/.exec(line)?.slice(1) ?? []);
  const status = headers.find(([name]) => name?.toLowerCase() === 'status')?.[1];
  for (const [name, value] of headers) {
    if (name !== undefined && value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(status === undefined ? 200 : Number.parseInt(status, 10));
}

main(process.argv.slice(2));
