import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { pino } from 'pino';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { startHttp } from '../../../controller/http/server.js';
import { aPush, configure, edgesOn, memoryStore, SECRET, withHttp } from '../webhooks/support.js';
import { signedDelivery } from '../../support/github.js';

const OPTIONS = {
  edges: edgesOn({} as Ledger),
  address: '127.0.0.1:0',
  logger: pino({ level: 'silent' }),
  databaseAway: () => false,
};

async function prepared(): Promise<Awaited<ReturnType<typeof memoryStore>>> {
  const store = await memoryStore();
  await configure(store.ledger);
  return store;
}

describe('a request', () => {
  it('for anything that is not there is told so, in the shape of all errors', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url, send }) => {
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/webhook'],
        ['POST', '/webhook/sourceforge'],
        ['GET', '/fraises'],
      ] as const) {
        const response = await fetch(url + path, { method });
        expect(response.status, path).to.equal(404);
        expect(await response.json()).to.deep.equal({
          error_type: 'not_found',
          message: 'there is nothing here',
          recovery_hint: 'webhooks go to: POST /webhook',
        });
      }
      expect((await send(aPush(), '/webhook/%E0%A4%A')).status).to.equal(400);
    });
  });

  it('says nothing of what answers it', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url }) => {
      const { headers } = await fetch(`${url}/health`);
      expect(headers.get('x-powered-by')).to.equal(null);
      expect(headers.get('x-content-type-options')).to.equal('nosniff');
    });
  });

  it('for the git hosts is answered with those that really work', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url }) => {
      expect(await (await fetch(`${url}/providers`)).json()).to.deep.equal({
        providers: ['github', 'gitlab', 'gitea', 'bitbucket'],
      });
    });
  });

  it('for metrics is answered with the process and with deliveries by verdict', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url, send }) => {
      await send(aPush());
      await send(aPush({ branch: 'topic' }));
      await send(aPush({ secret: 'not the one' }));
      const response = await fetch(`${url}/metrics`);
      const text = await response.text();
      expect(response.headers.get('content-type')).to.match(/^text\/plain/);
      expect(text).to.include('process_cpu_seconds_total');
      expect(text).to.match(/fraisier_webhook_deliveries_total\{provider="github",verdict="deployed"\} 1/);
      expect(text)
        .to.match(/verdict="ignored"\} 1/)
        .and.match(/verdict="bad_signature"\} 1/);
      expect(text).to.include('fraisier_webhook_duration_seconds_count 2');
      expect(text).to.not.include('shop').and.not.include(SECRET);
    });
  });
});

describe('health', () => {
  it('is good once the database has answered', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url }) => {
      const response = await fetch(`${url}/health`);
      expect(response.status).to.equal(200);
      expect(await response.json()).to.deep.equal({ status: 'healthy' });
    });
  });

  it('is bad, and says so in time, when the database never answers', async () => {
    const ledger = { now: () => new Promise<Date>(() => undefined) } as unknown as Ledger;
    await withHttp(
      ledger,
      async ({ url }) => {
        const response = await fetch(`${url}/health`);
        expect(response.status).to.equal(503);
        expect(Number(response.headers.get('retry-after'))).to.be.greaterThan(0);
        expect(await response.json()).to.deep.equal({
          status: 'unhealthy',
          reason: 'the database did not answer within 20 ms',
        });
      },
      { healthPatienceMs: 20 },
    );
  });
});

describe('a delivery over HTTP', () => {
  it('may name its git host in the path or in the query', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ send }) => {
      expect((await send(aPush(), '/webhook/github')).status).to.equal(202);
      expect((await send(aPush(), '/webhook?provider=github')).status).to.equal(202);
    });
  });

  it('of another git host than it was sent as is not signed as such, and of none is refused by name', async () => {
    const { ledger, deliveries } = await prepared();
    await withHttp(ledger, async ({ send }) => {
      for (const path of ['/webhook?provider=gitlab', '/webhook/gitlab']) {
        const { status, body } = await send(aPush(), path);
        expect(status).to.equal(401);
        expect(body['message']).to.equal('no webhook secret is configured for gitlab');
      }
      const unknown = await send(aPush(), '/webhook?provider=x');
      expect(unknown.status).to.equal(400);
      expect(unknown.body).to.deep.equal({
        error_type: 'validation_error',
        message: 'there is no such git host',
        recovery_hint: 'this version understands: github, gitlab, gitea, bitbucket',
      });
      const { headers, body } = aPush();
      const anonymous = { 'content-type': String(headers['content-type']) };
      expect((await send({ headers: anonymous, body })).body['message']).to.match(
        /do not show which git host/,
      );
    });
    expect((await deliveries()).map((one) => one.verdict)).to.deep.equal(Array(2).fill('bad_signature'));
  });

  it('with another content type, or compressed, is refused before it is read', async () => {
    const { ledger, deliveries } = await prepared();
    await withHttp(ledger, async ({ send }) => {
      const { headers, body } = aPush();
      for (const change of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'gzip' }]) {
        const answer = await send({ headers: { ...headers, ...change }, body });
        expect(answer.status).to.equal(415);
        expect(answer.body['error_type']).to.equal('unsupported_media_type');
      }
    });
    expect(await deliveries()).to.deep.equal([]);
  });

  it('that is not JSON, or lacks the header that names its event, is refused as such', async () => {
    const { ledger, deliveries } = await prepared();
    await withHttp(ledger, async ({ send }) => {
      const { headers, body } = signedDelivery({ event: 'push', payload: 'no object', secret: SECRET });
      const { status, body: told } = await send({ headers, body });
      expect(status).to.equal(400);
      expect(told).to.include({ error_type: 'validation_error' }).and.have.property('recovery_hint').that.is
        .not.empty;
      const push = aPush();
      expect((await send({ ...push, headers: { ...push.headers, 'x-github-event': '' } })).status).to.equal(
        400,
      );
    });
    expect((await deliveries()).map((one) => one.verdict)).to.deep.equal(['unparseable', 'unparseable']);
  });

  it('without a body is not signed by anybody', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ url, send }) => {
      expect((await send({ headers: aPush().headers, body: '' })).status).to.equal(401);
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      socket.end('POST /webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\n\r\n');
      const [first] = (await once(socket, 'data')) as [Buffer];
      expect(first.toString()).to.match(/^HTTP\/1\.1 401 /);
    });
  });

  it('that is too large is refused, whether it says so or not', async () => {
    const { ledger, deliveries } = await prepared();
    await withHttp(
      ledger,
      async ({ send, url }) => {
        const { headers } = aPush();
        const answer = await send({ headers, body: Buffer.alloc(1025) });
        expect(answer.status).to.equal(413);
        expect(answer.body['error_type']).to.equal('payload_too_large');
        expect(await chunked(`${url}/webhook`, headers, Buffer.alloc(5000))).to.equal(413);
      },
      { bodyLimitBytes: 1024 },
    );
    expect((await deliveries()).map((one) => one.verdict)).to.deep.equal(['too_large', 'too_large']);
  });

  it('as large as git hosts send is read', async () => {
    const { ledger } = await prepared();
    await withHttp(ledger, async ({ send }) => {
      const payload = { ...JSON.parse(aPush().body.toString()), filler: 'x'.repeat(24_000_000) } as unknown;
      expect((await send(signedDelivery({ event: 'push', payload, secret: SECRET }))).status).to.equal(202);
    });
  }).timeout(60_000);

  it('is refused when one address sends too many, and recorded as that', async () => {
    const { ledger, deliveries } = await prepared();
    await withHttp(
      ledger,
      async ({ send }) => {
        const forged = () => aPush({ secret: 'not the one' });
        const answers = [await send(forged()), await send(forged()), await send(aPush())];
        expect(answers.map(({ status }) => status)).to.deep.equal([401, 401, 429]);
        expect(answers[2]?.body['error_type']).to.equal('rate_limited');
        expect(answers[2]?.headers.get('retry-after')).to.equal('60');
      },
      { rateLimit: 2 },
    );
    expect((await deliveries()).map((one) => one.verdict)).to.deep.equal([
      'bad_signature',
      'bad_signature',
      'rate_limited',
    ]);
  });

  it('of one repository too often is refused, and others of the same sender are not held up', async () => {
    const { ledger, deliveries } = await prepared();
    const other = { repository: 'https://github.com/acme/other.git' };
    await withHttp(
      ledger,
      async ({ send }) => {
        const noisy = [await send(aPush(other)), await send(aPush(other)), await send(aPush(other))];
        expect(noisy.map(({ status }) => status)).to.deep.equal([200, 200, 429]);
        expect(noisy[2]?.headers.get('retry-after')).to.equal('60');
        expect(noisy[2]?.body['message']).to.include('acme/other');
        expect((await send(aPush())).status).to.equal(202);
      },
      { rateLimit: 1, repositoryLimit: 2 },
    );
    expect((await deliveries()).map((one) => one.verdict)).to.deep.equal([
      'ignored',
      'ignored',
      'rate_limited',
      'deployed',
    ]);
  });

  it('that could not be stored is not counted against its sender', async () => {
    const { ledger } = await prepared();
    let away = true;
    const failing: Ledger = {
      ...ledger,
      currentConfiguration: () => (away ? Promise.reject(new Error('away')) : ledger.currentConfiguration()),
    };
    await withHttp(
      failing,
      async ({ send }) => {
        for (let n = 0; n < 3; n += 1) expect((await send(aPush())).status).to.equal(503);
        away = false;
        expect((await send(aPush())).status).to.equal(202);
      },
      { rateLimit: 1, databaseAway: () => true },
    );
  });

  it('is counted for its sender, and not for the proxy in between, when that is trusted', async () => {
    const { ledger } = await prepared();
    const from = (address: string) => {
      const push = aPush({ secret: 'not the one' });
      return { ...push, headers: { ...push.headers, 'x-forwarded-for': address } };
    };
    await withHttp(
      ledger,
      async ({ send }) => {
        expect((await send(from('192.0.2.1'))).status).to.equal(401);
        expect((await send(from('192.0.2.2'))).status).to.equal(401);
        expect((await send(from('192.0.2.1'))).status).to.equal(429);
      },
      { rateLimit: 1, trustedProxies: ['loopback'] },
    );
  });

  it('that fails for a fault of ours says nothing of it, and the log says all', async () => {
    const { ledger } = await prepared();
    const failing = new Proxy(ledger, {
      get: (target, key: keyof Ledger) =>
        key === 'transaction' ? () => Promise.reject(new Error('a detail')) : target[key],
    });
    await withHttp(failing, async ({ send, log }) => {
      const { status, body } = await send(aPush());
      expect(status).to.equal(500);
      expect(body).to.have.property('error_type', 'internal_error');
      expect(JSON.stringify(body)).to.not.include('a detail');
      expect(JSON.stringify(log)).to.include('a request failed').and.include('a detail');
    });
  });
});

describe('closing the server', () => {
  it('waits for the deliveries in hand and answers them', async () => {
    const { ledger } = await prepared();
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let entered = (): void => undefined;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const slow = new Proxy(ledger, {
      get: (target, key: keyof Ledger) =>
        key === 'transaction'
          ? async (work: (tx: Ledger) => Promise<unknown>) => {
              entered();
              await gate;
              return await target.transaction(work);
            }
          : target[key],
    });
    let sent: Promise<{ status: number }> | undefined;
    const closed = withHttp(slow, async ({ send }) => {
      sent = send(aPush());
      await inside;
    });
    release();
    await closed;
    expect((await sent)?.status).to.equal(202);
  });

  it('does not wait for ever for a request that never ends', async () => {
    const { ledger } = await prepared();
    let ended: Promise<unknown> | undefined;
    await withHttp(
      ledger,
      async ({ url }) => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1');
        ended = new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
        socket.write(
          'POST /webhook HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nContent-Type: application/json\r\n',
        );
        await new Promise((resolve) => socket.write('Content-Length: 9\r\n\r\n{', resolve));
        await fetch(`${url}/health`);
      },
      { drainMs: 100 },
    );
    await ended;
  });

  it('twice is the same as once', async () => {
    const http = await startHttp(OPTIONS);
    await http.close();
    await http.close();
  });
});

describe('the address', () => {
  it('is HOST:PORT, of either kind, with the port that was taken', async () => {
    for (const [address, taken] of [
      ['127.0.0.1:0', /^127\.0\.0\.1:\d+$/],
      ['localhost:0', /^(127\.0\.0\.1|\[::1\]):\d+$/],
      [':0', /^(\[::\]|0\.0\.0\.0):\d+$/],
    ] as const) {
      const http = await startHttp({ ...OPTIONS, address });
      expect(http.address).to.match(taken);
      await http.close();
    }
  });

  it('is refused when it is none, or taken', async () => {
    const failure = (address: string): Promise<string> =>
      startHttp({ ...OPTIONS, address }).then(() => 'listening', String);
    for (const address of ['nonsense', '127.0.0.1', '127.0.0.1:99999', ':']) {
      expect(await failure(address), address).to.match(/not an address to listen on/);
    }
    const http = await startHttp(OPTIONS);
    expect(await failure(http.address)).to.match(/EADDRINUSE/);
    await http.close();
  });
});

/** Sends a body without saying how long it is; the status of the answer. */
function chunked(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.write(body);
    request.end();
  });
}
