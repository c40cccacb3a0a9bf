import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { until } from '../support/until.js';

/** What `GET /` of the pool says. */
export interface Balanced {
  /** Hosts that get requests. */
  readonly attached: readonly string[];
  /** What it was told to do and did, in order: `drain h1`. */
  readonly done: readonly string[];
  readonly visits: number;
  /** Visits that were not answered with 200, and how they ended. */
  readonly lost: readonly string[];
}

interface Backend {
  readonly name: string;
  readonly address: string;
  attached: boolean;
  inHand: number;
}

const VISITORS = 4;

/**
 * `node balancer.js ADDRESS NAME=HOST:PORT…`: a load balancer for the tests. Its port 8000 passes requests on to the hosts
 * that are attached, in turns; port 9000 is for whoever runs them. `POST /NAME/drain` is answered once no request to the host
 * is in hand, `POST /NAME/attach` once the host answers with 200. `POST /visit` starts visitors that never stop.
 */
async function main([address = '', ...hosts]: readonly string[]): Promise<void> {
  const backends = hosts.map((host): Backend => {
    const [name = '', at = ''] = host.split('=');
    return { name, address: at, attached: false, inHand: 0 };
  });
  const state = { backends, done: [] as string[], visits: 0, lost: [] as string[], stuck: false };
  let turn = 0;
  const front = createServer((incoming, response) => pass(backends, (turn += 1), incoming, response));
  const pool = createServer((incoming, response) => {
    order(state, incoming, `http://${address}:8000/health`).then(
      (said) => response.end(JSON.stringify(said)),
      (error: unknown) => response.writeHead(504).end(String(error)),
    );
  });
  await Promise.all([
    once(front.listen(8000, address), 'listening'),
    once(pool.listen(9000, address), 'listening'),
  ]);
}

type State = { backends: readonly Backend[]; done: string[]; visits: number; lost: string[]; stuck: boolean };

async function order(state: State, { method, url = '/' }: IncomingMessage, front: string): Promise<Balanced> {
  const { backends, done, visits, lost } = state;
  const [, name, what = ''] = url.split('/');
  if (method === 'POST' && name === 'visit')
    for (let n = 0; n < VISITORS; n += 1) void visitForEver(state, front);
  if (method === 'POST' && name === 'stuck') state.stuck = what === 'on';
  const backend = backends.find((one) => one.name === name);
  if (backend !== undefined) {
    await (what === 'drain' ? drain(state, backend) : attach(backend));
    done.push(`${what} ${name}`);
  }
  return { attached: backends.filter((one) => one.attached).map((one) => one.name), done, visits, lost };
}

async function drain({ stuck }: State, backend: Backend): Promise<void> {
  backend.attached = false;
  const timing = { timeoutMs: stuck ? 500 : 20_000, everyMs: 10 };
  await until('no request to be in hand', () => !stuck && backend.inHand === 0, timing);
}

async function attach(backend: Backend): Promise<void> {
  const ready = async () =>
    (await fetch(`http://${backend.address}/health`, { signal: AbortSignal.timeout(2_000) })).status === 200;
  await until(`${backend.name} to be ready`, ready, { timeoutMs: 20_000, everyMs: 50 });
  backend.attached = true;
}

function pass(
  backends: readonly Backend[],
  turn: number,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  const attached = backends.filter((one) => one.attached);
  const backend = attached[turn % Math.max(1, attached.length)];
  if (backend === undefined) {
    response.writeHead(503).end('no host');
    return;
  }
  backend.inHand += 1;
  response.on('close', () => (backend.inHand -= 1));
  request(`http://${backend.address}${incoming.url ?? '/'}`, (answer) => {
    response.writeHead(answer.statusCode ?? 502);
    answer.pipe(response);
  })
    .on('error', (error) =>
      response.headersSent ? response.destroy() : response.writeHead(502).end(String(error)),
    )
    .end();
}

async function visitForEver(state: State, front: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (;;) {
    const how = await visit(front, agent).catch(String);
    state.visits += 1;
    if (how !== '200') state.lost.push(how);
  }
}

async function visit(front: string, agent: Agent): Promise<string> {
  const call = request(front, { agent, signal: AbortSignal.timeout(10_000) }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  let said = '';
  for await (const part of answer) said += String(part);
  return answer.statusCode === 200 ? '200' : `${answer.statusCode} ${said}`;
}

await main(process.argv.slice(2));
