import { FraisierError } from '../../proto/error-codes.js';
import { Question } from '../../proto/gen/fraisier/v1/agent.js';
import { checkAdmitted, type AgentStream } from './admit-agent.js';
import type { Gateway, GatewayEdges } from './gateway-edges.js';
import type { Outbox } from './outbox.js';
import { sleepUntilAborted } from './sleep.js';
import { openWakeSignal } from './wake-signal.js';

/**
 * Sends assignments, cancellations and questions as they come up: at once, at every wake-up for this host, and now
 * and then. When `draining` aborts it says so, leaves the agent a moment to end its side, and throws `shutting_down`.
 */
export async function sendWork(
  deps: Gateway,
  stream: AgentStream,
  outbox: Outbox,
  draining: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  const wakeUps = openWakeSignal(
    deps.edges,
    (topic) => topic.about === 'host' && topic.name === stream.agent,
  );
  const told: Told = { assignments: new Set(), cancels: new Set(), questions: new Set() };
  const stop = eitherAborts(draining, signal);
  try {
    for (let look = true; !stop.signal.aborted;) {
      if (look) await sendAll(deps, stream, outbox, told);
      const woken = await wakeUps.wait(deps.patience.dispatchMs, stop.signal);
      look = woken || (!stop.signal.aborted && (await deps.edges.ledger.hasWork(stream.agent, stream.epoch)));
    }
    if (!signal.aborted) await drain(deps, outbox, signal);
  } finally {
    stop.release();
    wakeUps.close();
  }
}

/** What this stream was told already, of what is still open. */
interface Told {
  assignments: ReadonlySet<string>;
  cancels: ReadonlySet<string>;
  questions: ReadonlySet<string>;
}

async function sendAll(deps: Gateway, stream: AgentStream, outbox: Outbox, told: Told): Promise<void> {
  await sendRuns(deps, stream, outbox, told);
  await sendQuestions(deps, stream, outbox, told);
}

async function sendRuns(deps: Gateway, stream: AgentStream, outbox: Outbox, told: Told): Promise<void> {
  const { agent, epoch } = stream;
  const { assignments, cancels } = (await deps.dispatch({ agent, epoch })) ?? (await refuse(deps, stream));
  for (const value of assignments) {
    stream.runs.told(value.runId, value.deploymentId);
    if (!told.assignments.has(value.runId)) await outbox({ message: { $case: 'assignment', value } });
  }
  for (const value of cancels) {
    if (!told.cancels.has(value.runId)) await outbox({ message: { $case: 'cancel', value } });
  }
  told.assignments = new Set(assignments.map((assignment) => assignment.runId));
  told.cancels = new Set(cancels.map((cancel) => cancel.runId));
}

/** Says why the stream is not the newest any more. */
async function refuse(deps: Gateway, stream: AgentStream): Promise<never> {
  await checkAdmitted(deps, stream);
  throw new FraisierError('agent_replaced', `a newer connection of ${stream.agent} took over`);
}

async function sendQuestions(
  { edges }: GatewayEdges,
  { agent }: AgentStream,
  outbox: Outbox,
  told: Told,
): Promise<void> {
  const open = await edges.ledger.openQuestions(agent);
  for (const { id, question } of open) {
    if (told.questions.has(id)) continue;
    await outbox({ message: { $case: 'question', value: { ...Question.decode(question), questionId: id } } });
  }
  told.questions = new Set(open.map(({ id }) => id));
}

async function drain({ edges, patience }: GatewayEdges, outbox: Outbox, signal: AbortSignal): Promise<void> {
  await outbox({ message: { $case: 'drain', value: {} } });
  await sleepUntilAborted(edges, patience.drainMs, signal);
  if (!signal.aborted)
    throw new FraisierError('shutting_down', 'this controller shuts down: come back in a moment');
}

/** `AbortSignal.any` keeps a reference in the long-lived one; this lets go. */
function eitherAborts(
  one: AbortSignal,
  other: AbortSignal,
): { readonly signal: AbortSignal; release(): void } {
  const either = new AbortController();
  const abort = (): void => either.abort();
  for (const signal of [one, other]) {
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  }
  const release = (): void => [one, other].forEach((signal) => signal.removeEventListener('abort', abort));
  return { signal: either.signal, release };
}
