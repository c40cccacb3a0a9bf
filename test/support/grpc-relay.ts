import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Stream,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type Http2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ListenOptions, Socket } from 'node:net';
import { framesOf } from './grpc-frames.js';

/** `up`: from the one who dialled. */
export type Direction = 'up' | 'down';

/**
 * What becomes of a message: the connections break before it is passed on, or once the other side has it; or neither it nor
 * anything later comes through, and nobody is told.
 */
export type Fate = 'pass' | 'cut before' | 'cut after' | 'silence';

/** Asked for every message, in the order in which each direction has them; `method` as `/package.Service/Method`. */
export type Judge = (direction: Direction, message: Buffer, method: string) => Fate;

export interface RelayEnds {
  /** An HTTP/2 server that does not listen yet. */
  readonly server: Http2Server | Http2SecureServer;
  /** Dials the real server. */
  readonly dial: () => Promise<Socket>;
  readonly judge: Judge;
}

/** Stands between a gRPC client and a server, passes each message on as it is, and breaks both connections when told. */
export class GrpcRelay {
  readonly #ends: RelayEnds;
  readonly #sockets = new Set<Socket>();
  /** Of the connections; what is under way when a cut is decided is lost. */
  #age = 0;

  private constructor(ends: RelayEnds) {
    this.#ends = ends;
    ends.server.on('connection', (socket: Socket) => this.#keep(socket));
    ends.server.on('sessionError', () => undefined);
    ends.server.on('stream', (stream: ServerHttp2Stream, headers) => {
      this.#serve(stream, headers).catch(() => stream.destroy());
    });
  }

  static async listen(ends: RelayEnds, where: ListenOptions): Promise<GrpcRelay> {
    const relay = new GrpcRelay(ends);
    ends.server.listen(where);
    await once(ends.server, 'listening');
    return relay;
  }

  /** Breaks every connection at once, without a word of TLS or HTTP/2. */
  cut(): void {
    this.#age += 1;
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = once(this.#ends.server, 'close');
    this.#ends.server.close();
    this.cut();
    await closed;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on('error', () => undefined);
    const socket = await this.#ends.dial();
    this.#keep(socket);
    const session = connect('https://relayed', { createConnection: () => socket });
    session.on('error', () => undefined);
    const request = session.request({ ...headers }, { endStream: false });
    request.on('error', () => undefined);
    const answer = answerLike(stream, request);
    // Who dialled is not left on a connection with nobody at its end.
    socket.on('close', () => !answer.whole && stream.session?.destroy());
    stream.on('close', () => {
      request.close(constants.NGHTTP2_CANCEL);
      session.close();
    });
    const judge = (direction: Direction) => (message: Buffer) =>
      this.#ends.judge(direction, message, headers[':path'] ?? '');
    await Promise.all([this.#pass(judge('up'), stream, request), this.#pass(judge('down'), request, stream)]);
  }

  async #pass(judge: (message: Buffer) => Fate, from: Http2Stream, to: Http2Stream): Promise<void> {
    const age = this.#age;
    for await (const { bytes, message } of framesOf(from)) {
      const fate = age === this.#age ? judge(message) : 'late';
      if (fate === 'cut before') return this.cut();
      if (fate === 'cut after' || fate === 'silence') this.#age += 1;
      // Within the loop: leaving it destroys the stream, which would be heard.
      if (fate === 'late' || fate === 'silence') {
        await ended(from);
        return;
      }
      await write(to, bytes);
      if (fate !== 'cut after') continue;
      await arrived(to.session);
      return this.cut();
    }
    to.end();
  }
}

/** Headers and trailers as they come; `whole` once the status has come, which is the last. */
function answerLike(stream: ServerHttp2Stream, request: ClientHttp2Stream): { readonly whole: boolean } {
  const answer = { whole: false };
  let trailers: IncomingHttpHeaders = {};
  request.on('response', (headers) => {
    answer.whole = headers['grpc-status'] !== undefined;
    if (stream.destroyed) return;
    stream.respond({ ...headers }, answer.whole ? { endStream: true } : { waitForTrailers: true });
  });
  request.on('trailers', (last: IncomingHttpHeaders) => {
    answer.whole = true;
    trailers = last;
  });
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
  return answer;
}

/** Reads no more, and waits until there is nothing to read from. */
async function ended(from: Http2Stream): Promise<void> {
  if (!from.closed) await once(from, 'close');
}

function write(to: Http2Stream, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    (to as ServerHttp2Stream).write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** The answer to a ping comes after everything that was written before it has been read. */
async function arrived(session: Http2Session | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (session === undefined || session.destroyed || !session.ping(() => resolve())) resolve();
  });
}
