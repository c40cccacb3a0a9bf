import { FraisierError } from '../../proto/error-codes.js';
import { Answer, type RenewRequest } from '../../proto/gen/fraisier/v1/agent.js';
import type { Ledger } from '../deployments/ledger.js';
import type { ProgressMessage } from '../deployments/record-progress.js';
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
  for (;;) {
    const batch = await inbox.take(signal);
    if (batch === null) return;
    await recordAll(deps, stream, batch.filter(isProgress), outbox);
    for (const message of batch) await handleOther(deps, stream, message, outbox);
  }
}

function isProgress(message: AgentMessage): message is AgentMessage & ProgressMessage {
  return message.$case === 'event' || message.$case === 'log';
}

/** What other agents say of the same deployment meanwhile is recorded with it; other deployments do not wait for that. */
async function recordAll(
  { record }: Gateway,
  stream: AgentStream,
  progress: readonly ProgressMessage[],
  outbox: Outbox,
): Promise<void> {
  const { agent, epoch, runs } = stream;
  for (const [deploymentId, messages] of await byDeployment(runs, progress)) {
    const { acks, logAcks } = await record(deploymentId, { agent, epoch, messages });
    for (const value of acks) await outbox({ message: { $case: 'ack', value } });
    for (const value of logAcks) await outbox({ message: { $case: 'logAck', value } });
  }
}

async function byDeployment(
  runs: AgentStream['runs'],
  progress: readonly ProgressMessage[],
): Promise<ReadonlyMap<string, readonly ProgressMessage[]>> {
  const parts = new Map<string, ProgressMessage[]>();
  for (const message of progress) {
    const id = await runs.deploymentOf(message.value.runId);
    const part = parts.get(id);
    if (part === undefined) parts.set(id, [message]);
    else part.push(message);
  }
  return parts;
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
