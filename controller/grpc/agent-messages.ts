import { FraisierError } from '../../proto/error-codes.js';
import { Answer, type RenewRequest } from '../../proto/gen/fraisier/v1/agent.js';
import type { Ledger } from '../deployments/ledger.js';
import { recordProgress, type ProgressMessage } from '../deployments/record-progress.js';
import { refuseRun } from '../deployments/refuse-run.js';
import { readSigningRequest } from '../pki/certificate-authority.js';
import type { AgentStream } from './admit-agent.js';
import type { AgentInbox, AgentMessage } from './agent-inbox.js';
import type { Gateway, GatewayEdges } from './gateway-edges.js';
import type { Outbox } from './outbox.js';

/**
 * Works off what the agent says, strictly in order, all that waits at once: one use case, one commit, then its
 * acknowledgements. Ends when the agent has ended its side.
 */
export async function handleMessages(
  deps: Gateway,
  stream: AgentStream,
  inbox: AgentInbox,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<void> {
  while (await inbox.arrived(signal)) {
    const batch = await takeProgress(deps, stream, inbox, outbox, signal);
    for (const message of batch) await handleOther(deps, stream, message, outbox);
  }
}

function isProgress(message: AgentMessage): message is AgentMessage & ProgressMessage {
  return message.$case === 'event' || message.$case === 'log';
}

/** Takes what waits once it is this agent's turn: the longer that takes, the more is recorded in one transaction. */
async function takeProgress(
  { edges, inTurn }: Gateway,
  stream: AgentStream,
  inbox: AgentInbox,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<readonly AgentMessage[]> {
  const { batch, acks, logAcks } = await inTurn(async () => {
    const batch = (await inbox.take(signal)) ?? [];
    const progress = batch.filter(isProgress);
    if (progress.length === 0) return { batch, acks: [], logAcks: [] };
    return { batch, ...(await recordProgress(edges, stream, progress)) };
  });
  // Not within the turn: an agent that does not read would keep it.
  for (const value of acks) await outbox({ message: { $case: 'ack', value } });
  for (const value of logAcks) await outbox({ message: { $case: 'logAck', value } });
  return batch;
}

async function handleOther(
  deps: GatewayEdges,
  stream: AgentStream,
  message: AgentMessage,
  outbox: Outbox,
): Promise<void> {
  switch (message.$case) {
    case 'event':
    case 'log':
    case 'ping':
      return;
    case 'answer':
      return takeAnswer(deps, stream, message.value);
    case 'refused':
      return refuseRun(deps.edges, stream, message.value);
    case 'renew':
      return renew(deps, stream, message.value, outbox);
    case 'hello':
      throw new FraisierError('protocol_violation', 'a second hello came on the same stream');
  }
}

async function takeAnswer({ edges }: GatewayEdges, stream: AgentStream, answer: Answer): Promise<void> {
  await edges.ledger.transaction(async (tx) => {
    await mustBeNewest(tx, stream);
    const bytes = Answer.encode(answer).finish();
    const isFirst = await tx.answerQuestion(answer.questionId, stream.agent, bytes);
    if (isFirst) await tx.wake({ about: 'question', id: answer.questionId });
  });
}

/** A stream that was replaced or revoked gets nothing any more, least of all a fresh certificate. */
async function mustBeNewest(tx: Ledger, { agent, epoch }: AgentStream): Promise<void> {
  if (await tx.holdLease(agent, epoch)) return;
  throw new FraisierError(
    'agent_replaced',
    `the lease of ${agent} is another connection's, or was taken away`,
  );
}

async function renew(
  { edges, authority }: GatewayEdges,
  stream: AgentStream,
  { csrPem }: RenewRequest,
  outbox: Outbox,
): Promise<void> {
  const { agent } = stream;
  const request = await readSigningRequest(csrPem);
  const { certificatePem, serial, expiresAt } = await authority.issueAgent(
    agent,
    request,
    await edges.ledger.now(),
  );
  await edges.ledger.transaction(async (tx) => {
    await mustBeNewest(tx, stream);
    await tx.setCertificate(agent, serial, expiresAt);
    await tx.audit({
      actor: `agent:${agent}`,
      action: 'certificate_renewed',
      subject: agent,
      facts: { serial },
    });
  });
  await outbox({
    message: { $case: 'renewed', value: { certificatePem, authorityPem: authority.certificatePem } },
  });
}
