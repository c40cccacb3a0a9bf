import type { Reason } from '../proto/gen/fraisier/v1/plan.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import { Backoff } from './backoff.js';
import { converse, type SessionEnd, type SessionPorts } from './session.js';
import type { Dial } from './transport.js';

/** What will not change by itself is tried again at this pace: an upgrade, a new certificate. */
const SLOW_MS = 60_000;

export interface ConnectionPorts extends SessionPorts {
  readonly dial: Dial;
  /** `HOST:PORT` of every controller's agents' port, tried in turn. */
  readonly addresses: () => Promise<readonly string[]>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Keeps one stream to some controller until `signal` aborts (`left`) or the agent is told that it was revoked. Runs
 * go on while there is no stream. Back-off is counted from the failure; each failure tries the next
 * address at once, and only a whole round of failures waits.
 */
export async function stayConnected(
  ports: ConnectionPorts,
  signal: AbortSignal,
): Promise<'left' | 'revoked'> {
  const backoff = new Backoff(ports.random);
  for (let turn = 0; ;) {
    const addresses = await ports.addresses();
    const address = addresses[turn % addresses.length] ?? '';
    const end = await talk(ports, address, signal);
    if (end.because === 'left' || signal.aborted) return 'left';
    if (end.held) backoff.reset();
    if (end.because === 'renewed') continue;
    turn += 1;
    if (isRevoked(end)) return revoked(ports, end.reason);
    if (endsLease(end)) ports.lease.end();
    const lastOfRound = turn % addresses.length === 0 || address === '';
    const pauseMs = isSlow(end) ? SLOW_MS : lastOfRound ? backoff.next() : 0;
    tell(ports, address, end, pauseMs);
    await ports.clock.sleep(pauseMs, signal).catch(() => undefined);
    if (signal.aborted) return 'left';
  }
}

type End = SessionEnd & { readonly held: boolean };

async function talk(ports: ConnectionPorts, address: string, signal: AbortSignal): Promise<End> {
  try {
    if (address === '')
      throw new FraisierError('usage', 'no address of a controller is known: say one with --controller');
    return await converse(ports, await ports.dial(address), signal);
  } catch (error) {
    const why = error instanceof FraisierError ? error.reason : reason('internal', String(error));
    return { because: 'broken', reason: why, held: false };
  }
}

function isRevoked(end: End): end is Extract<End, { reason: Reason }> {
  return 'reason' in end && end.reason.code === 'agent_revoked';
}

function revoked(ports: ConnectionPorts, why: Reason): 'revoked' {
  ports.lease.end();
  ports.logger.error(
    { reason: why.code },
    `this agent was revoked: ${why.message}; enrol it again with a new join token`,
  );
  return 'revoked';
}

/** Somebody else is connected as this agent now; what must not be done twice is theirs. */
function endsLease(end: End): boolean {
  return 'reason' in end && end.reason.code === 'agent_replaced';
}

/** What mending takes a person: an upgrade, a new token, the other agent of this name stopped. */
const FOR_PEOPLE: readonly string[] = [
  'protocol_mismatch',
  'unauthenticated',
  'unknown_agent',
  'agent_replaced',
];

function isSlow(end: End): boolean {
  if (!('reason' in end)) return false;
  return FOR_PEOPLE.includes(end.reason.code) || (end.because === 'goodbye' && !end.retry);
}

function tell({ logger }: ConnectionPorts, address: string, end: End, pauseMs: number): void {
  const facts = {
    address,
    pauseMs,
    ...('reason' in end && { reason: end.reason.code, why: end.reason.message }),
  };
  if (isSlow(end)) logger.error(facts, 'the controller does not take this agent; trying again slowly');
  else if (end.because === 'drained') logger.info(facts, 'the controller is being drained; going elsewhere');
  else logger.warn(facts, 'the connection ended; dialling again');
}
