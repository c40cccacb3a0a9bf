import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { aPush, configure, memoryStore, withHttp, type Sender } from '../webhooks/support.js';
import { until } from '../../support/until.js';

const PATIENCE = { headersMs: 150, requestMs: 300, idleMs: 150, checkMs: 25 };

/** A connection of one's own to the server, and all that it said until it closed. */
async function withSocket(
  { url }: Sender,
  work: (socket: Socket, heard: () => string, closed: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => (text += data));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  try {
    await once(socket, 'connect');
    await work(socket, () => text, closed);
  } finally {
    socket.destroy();
  }
}

async function withDoor(work: (sender: Sender) => Promise<void>): Promise<void> {
  const { ledger } = await memoryStore();
  await configure(ledger);
  await withHttp(ledger, work, { patience: PATIENCE });
}

function bodyOf(heard: string): unknown {
  return JSON.parse(heard.slice(heard.indexOf('\r\n\r\n') + 4));
}

describe('a connection', function () {
  this.timeout(10_000);

  for (const [what, head] of [
    ['that never ends its headers', 'POST /webhook HTTP/1.1\r\nHost: x\r\nX-Slow: a'],
    [
      'that trickles its body',
      'POST /webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    ],
  ] as const) {
    it(`${what} is told so and closed, while others are served`, () =>
      withDoor(async (sender) => {
        await withSocket(sender, async (socket, heard, closed) => {
          socket.write(head);
          const trickle = setInterval(() => socket.write('a'), 20);
          try {
            expect((await sender.send(aPush())).status).to.equal(202);
            await closed;
          } finally {
            clearInterval(trickle);
          }
          expect(heard())
            .to.match(/^HTTP\/1\.1 408 Request Timeout\r\n/)
            .and.match(/Connection: close/);
          expect(bodyOf(heard())).to.deep.equal({
            error_type: 'request_timeout',
            message: 'the request was not sent in time',
            recovery_hint: 'send it again',
          });
        });
      }));
  }

  it('that is idle between two requests is closed', () =>
    withDoor((sender) =>
      withSocket(sender, async (socket, heard, closed) => {
        socket.write('GET /providers HTTP/1.1\r\nHost: x\r\n\r\n');
        await closed;
        expect(heard()).to.match(/^HTTP\/1\.1 200 OK\r\n/);
      }),
    ));

  for (const [what, sent, status] of [
    ['speaks no HTTP', 'hello\r\n\r\n', '400 Bad Request'],
    [
      'sends endless headers',
      `GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
  ] as const) {
    it(`that ${what} is told so in the shape of all errors`, () =>
      withDoor((sender) =>
        withSocket(sender, async (socket, heard, closed) => {
          socket.write(sent);
          await closed;
          expect(heard().startsWith(`HTTP/1.1 ${status}\r\n`), heard()).to.equal(true);
          expect(bodyOf(heard())).to.have.all.keys('error_type', 'message', 'recovery_hint');
        }),
      ));
  }

  it('that is cut off in the middle of a request harms nobody', () =>
    withDoor(async (sender) => {
      await withSocket(sender, async (socket) => {
        socket.write('POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n');
        await until('the first half to be sent', () => Promise.resolve(socket.bytesWritten > 0), {
          timeoutMs: 5000,
        });
        socket.resetAndDestroy();
      });
      expect((await sender.send(aPush())).status).to.equal(202);
    }));
});
