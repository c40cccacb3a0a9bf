import { Agent, request } from 'node:http';
import { percentile } from './figures.js';

export interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Load {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/** Below the limit of deliveries a minute that one address may send. */
const PER_ADDRESS = 500;
const ANSWER_MS = 30_000;

/**
 * Posts `deliveries` to `url` over `connections` kept-alive connections, each sending its next one when the last was
 * answered. Every connection has a loopback address of its own (Linux), and another one before it is sent too much.
 * Throws when any answer is not 202.
 */
export async function postAll(
  url: string,
  deliveries: readonly Delivery[],
  connections: number,
  addresses: Addresses,
): Promise<Load> {
  const left = [...deliveries];
  const times: number[] = [];
  const started = performance.now();
  await Promise.all(Array.from({ length: connections }, () => connection(url, left, times, addresses)));
  const seconds = (performance.now() - started) / 1000;
  return { p50: percentile(times, 50), p99: percentile(times, 99), perSecond: deliveries.length / seconds };
}

/** Loopback addresses that were not used yet. */
export type Addresses = Iterator<string, never>;

export function* loopbackAddresses(): Generator<string, never> {
  for (let n = 0; ; n += 1) yield `127.${1 + (n >> 14)}.${(n >> 7) & 127}.${1 + (n & 127)}`;
}

async function connection(
  url: string,
  left: Delivery[],
  times: number[],
  addresses: Addresses,
): Promise<void> {
  for (;;) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const localAddress = addresses.next().value;
    try {
      for (let sent = 0; sent < PER_ADDRESS; sent += 1) {
        const next = left.pop();
        if (next === undefined) return;
        const begun = performance.now();
        const status = await post(url, next, agent, localAddress);
        times.push(performance.now() - begun);
        if (status !== 202) throw new Error(`${url} answered ${status} under load`);
      }
    } finally {
      agent.destroy();
    }
  }
}

function post(url: string, { headers, body }: Delivery, agent: Agent, localAddress: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: 'POST',
      agent,
      localAddress,
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: { ...headers, 'content-length': body.length },
    });
    call.on('error', reject).on('response', (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    call.end(body);
  });
}
