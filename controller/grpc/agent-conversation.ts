import { FraisierError, reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { Hello, ResumeRun, ToAgent } from '../../proto/gen/fraisier/v1/agent.js';
import { PROTOCOL_VERSION } from '../../proto/protocol-version.js';
import { deploymentsToResume, resumeRuns } from '../deployments/resume-runs.js';
import { hostOfAuthority } from './authority.js';
import { admitAgent, identifyPeer, type AgentStream, type Peer } from './admit-agent.js';
import { AgentInbox, type AgentCall } from './agent-inbox.js';
import { sendWork } from './agent-dispatch.js';
import { keepLease, watchSilence } from './agent-lease.js';
import { handleMessages } from './agent-messages.js';
import type { Gateway, GatewayEdges } from './gateway-edges.js';
import { untilOneEnds } from './until-one-ends.js';
import { writeTo } from './outbox.js';

/**
 * One agent's stream from hello to goodbye, as agent.proto tells it. Never throws: whatever goes wrong ends the stream
 * with a Goodbye that says why and whether to come back. `draining` aborts when this controller shuts down.
 */
export async function converse(deps: Gateway, call: AgentCall, draining: AbortSignal): Promise<void> {
  const gone = whenGone(call);
  const inbox = new AgentInbox(call);
  const who: { peer?: Peer } = {};
  try {
    who.peer = identifyPeer(call);
    await serve(deps, call, { inbox, gone, draining }, who.peer);
  } catch (error) {
    if (!gone.aborted) call.write(goodbye(await explain(deps, who.peer?.name ?? 'unknown', error)));
  } finally {
    call.end();
  }
}

interface Line {
  readonly inbox: AgentInbox;
  readonly gone: AbortSignal;
  readonly draining: AbortSignal;
}

async function serve(deps: Gateway, call: AgentCall, line: Line, peer: Peer): Promise<void> {
  const hello = await within(deps, line.gone, (signal) => line.inbox.hello(signal));
  const stream = await admitAgent(deps, peer, hello);
  deps.logger.info(
    { agent: stream.agent, epoch: stream.epoch, version: hello.agentVersion },
    'agent connected',
  );
  try {
    const resume = await resumeInTurn(deps, line.gone, stream, hello);
    const controllers = await deps.controllers(hostOfAuthority(call.getHost()));
    const lease = { agentName: stream.agent, epoch: stream.epoch, leaseMs: deps.edges.leaseMs };
    const welcome = { ...lease, protocolVersion: PROTOCOL_VERSION, resume, controllers };
    await writeTo(call, line.gone)({ message: { $case: 'welcome', value: welcome } });
    await talk(deps, call, line, stream);
  } finally {
    await deps.edges.ledger.endLease(stream.agent, stream.epoch).catch((error: unknown) => {
      deps.logger.warn({ agent: stream.agent, err: error }, 'lease not ended, it runs out by itself');
    });
    deps.logger.info({ agent: stream.agent, epoch: stream.epoch }, 'agent disconnected');
  }
}

/** Many agents of one deployment that connect anew take one connection of the database among them. */
async function resumeInTurn(
  { edges, resuming }: Gateway,
  gone: AbortSignal,
  stream: AgentStream,
  hello: Hello,
): Promise<readonly ResumeRun[]> {
  return resuming(await deploymentsToResume(edges, stream, hello), async () => {
    gone.throwIfAborted();
    return await resumeRuns(edges, stream, hello);
  });
}

function talk(deps: Gateway, call: AgentCall, line: Line, stream: AgentStream): Promise<void> {
  const { inbox, gone, draining } = line;
  return untilOneEnds(gone, [
    (signal) => handleMessages(deps, stream, inbox, writeTo(call, signal), signal),
    (signal) => keepLease(deps, stream, inbox, writeTo(call, signal), signal),
    (signal) => watchSilence(deps, inbox, signal),
    (signal) => sendWork(deps, stream, writeTo(call, signal), draining, signal),
  ]);
}

async function explain(
  deps: GatewayEdges,
  agent: string,
  error: unknown,
): Promise<{ reason: Reason; retry: boolean }> {
  if (!(error instanceof FraisierError)) {
    deps.logger.error({ agent, err: error }, 'agent stream failed');
    return { reason: reason('internal', 'the controller failed; its log says why'), retry: true };
  }
  const why = error.reason;
  deps.logger.warn({ agent, reason: why }, 'agent stream ended');
  if (why.code === 'protocol_violation') await auditRefusal(deps, agent, why);
  return { reason: why, retry: !['unknown_agent', 'agent_revoked', 'unauthenticated'].includes(why.code) };
}

async function auditRefusal({ edges, logger }: GatewayEdges, agent: string, why: Reason): Promise<void> {
  const facts = { ...why.facts, code: why.code, message: why.message };
  const entry = { actor: `agent:${agent}`, action: 'message_refused', subject: agent, facts };
  await edges.ledger
    .audit(entry)
    .catch((error: unknown) => logger.error({ agent, err: error }, 'refusal not audited'));
}

function goodbye(value: { reason: Reason; retry: boolean }): ToAgent {
  return { message: { $case: 'goodbye', value } };
}

function whenGone(call: AgentCall): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  call.on('cancelled', abort).on('error', abort).on('close', abort);
  return gone.signal;
}

async function within<T>(
  { edges, patience: { helloMs: ms } }: GatewayEdges,
  gone: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const abort = (): void => late.abort(new FraisierError('agent_away', `no hello came within ${ms} ms`));
  const stopTimer = edges.after(ms, abort);
  gone.addEventListener('abort', abort, { once: true });
  try {
    return await work(late.signal);
  } finally {
    stopTimer();
    gone.removeEventListener('abort', abort);
  }
}
