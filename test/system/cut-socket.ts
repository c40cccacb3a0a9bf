import { createServer } from 'node:http2';
import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LogLine, WatchEvent } from '../../proto/gen/fraisier/v1/control.js';
import type { Cluster } from '../support/cluster.js';
import { GrpcRelay, type Fate } from '../support/grpc-relay.js';

/** A socket for one command line, whose connection breaks again and again. */
export interface CutSocket {
  /** As `--controller` takes it. */
  readonly address: string;
  readonly cuts: () => number;
  stop(): Promise<void>;
}

/** Connections break at every `each`-th message of a stream that was not there before, so that all of them come in the end. */
export async function cutSocket(
  cluster: Cluster,
  moment: 'before' | 'after',
  each: number,
): Promise<CutSocket> {
  const path = join(cluster.folder, `${randomUUID().slice(0, 8)}.sock`);
  const seen = new Set<string>();
  let cuts = 0;
  const judge = (direction: string, message: Buffer, method: string): Fate => {
    const key = direction === 'down' ? keyOf(message, method) : undefined;
    if (key === undefined || seen.has(key)) return 'pass';
    seen.add(key);
    if (seen.size % each !== 0) return 'pass';
    cuts += 1;
    return moment === 'before' ? 'cut before' : 'cut after';
  };
  const dial = () => Promise.resolve(connect(cluster.socket.replace(/^unix:/, '')));
  const relay = await GrpcRelay.listen({ server: createServer(), dial, judge }, { path });
  return { address: `unix:${path}`, cuts: () => cuts, stop: () => relay.stop() };
}

/** What is the same when a stream is opened again; undefined for what is no part of the story. */
function keyOf(message: Buffer, method: string): string | undefined {
  if (method.endsWith('/Watch')) {
    const { number, event } = WatchEvent.decode(message);
    return event?.$case === 'host' ? `event ${number}` : undefined;
  }
  if (!method.endsWith('/Logs')) return undefined;
  const { phase, step, attempt, offset } = LogLine.decode(message);
  return ['log', phase, step, attempt, offset].join(' ');
}
