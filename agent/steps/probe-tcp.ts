import { connect } from 'node:net';
import type { TcpProbe } from '../../proto/gen/fraisier/v1/plan.js';
import { guarded, mustAllow, notLinkLocal } from './guarded-lookup.js';
import { healthy } from './judge-health.js';
import type { Verdict } from './judge-health.js';

/** Connects once and hangs up. Throws when nobody takes the call. */
export async function probeTcp({ host, port }: TcpProbe, signal: AbortSignal): Promise<Verdict> {
  mustAllow(notLinkLocal, host);
  return new Promise((done, refuse) => {
    const socket = connect({ host, port, lookup: guarded(notLinkLocal), signal });
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.destroy();
      done(healthy('connected'));
    });
  });
}
