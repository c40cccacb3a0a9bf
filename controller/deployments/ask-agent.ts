import { EventEmitter, once } from 'node:events';
import { Answer, Question } from '../../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../../proto/error-codes.js';
import { awayHosts } from './select-hosts.js';
import type { Edges } from './edges.js';

export type Asked = NonNullable<Question['question']>;
export type Answered = NonNullable<Answer['answer']>;

/** A lost wake-up costs at most this much. */
const POLL_MS = 500;

/**
 * Asks a host's agent something read-only, over whichever controller holds its stream. Throws `agent_away` at once when it is
 * not connected, `no_answer` after `deadlineMs`, and the agent's own reason when it refuses.
 */
export async function askAgent(
  edges: Edges,
  host: string,
  question: Asked,
  deadlineMs: number,
): Promise<Answered> {
  const { ledger } = edges;
  const away = awayHosts([host], await ledger.agents(), await ledger.now());
  if (away !== null) throw new FraisierError('agent_away', away.message, away);
  const id = edges.newId('q');
  const bytes = Question.encode({ questionId: id, deadlineMs, question }).finish();
  const wakes = wakeups(edges, id);
  try {
    await ledger.transaction(async (tx) => {
      await tx.insertQuestion({ id, host, question: bytes, deadlineMs });
      await tx.wake({ about: 'host', name: host });
    });
    return await answered(edges, host, id, wakes.next);
  } finally {
    wakes.stop();
  }
}

async function answered(
  { ledger }: Edges,
  host: string,
  id: string,
  wait: () => Promise<void>,
): Promise<Answered> {
  for (;;) {
    const row = await ledger.question(id);
    if (row?.answer) return understood(host, Answer.decode(row.answer));
    if (row === null || row.expiresAt <= (await ledger.now())) {
      throw new FraisierError('no_answer', `the agent on ${host} did not answer in time`, {
        hint: `fraisier agents`,
        facts: { host },
      });
    }
    await wait();
  }
}

function understood(host: string, { answer }: Answer): Answered {
  if (answer === undefined)
    throw new FraisierError('no_answer', `the agent on ${host} gave an answer of an unknown kind`);
  if (answer.$case !== 'refused') return answer;
  const { code, message, hint, facts } = answer.value;
  throw new FraisierError(code as 'policy_refused', message, { hint, facts: { ...facts, host } });
}

/** Resolves `next()` on the wake-up for this question (also one that came before), or after the slow poll. */
function wakeups({ waking, after }: Edges, id: string): { next: () => Promise<void>; stop: () => void } {
  const heard = new EventEmitter();
  let woken = false;
  const unsubscribe = waking.subscribe((topic) => {
    if (topic.about !== 'question' || topic.id !== id) return;
    woken = true;
    heard.emit('wake');
  });
  const next = async () => {
    if (!woken) {
      const waiting = once(heard, 'wake');
      const callOff = after(POLL_MS, () => heard.emit('wake'));
      await waiting;
      callOff();
    }
    woken = false;
  };
  return { next, stop: unsubscribe };
}
