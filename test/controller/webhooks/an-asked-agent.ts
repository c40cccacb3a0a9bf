import { randomUUID } from 'node:crypto';
import { Answer, Question } from '../../../proto/gen/fraisier/v1/agent.js';
import { reason } from '../../../proto/error-codes.js';
import type { Edges } from '../../../controller/deployments/edges.js';
import type { Ledger } from '../../../controller/deployments/ledger.js';
import { edgesOn } from './support.js';

type Asked = NonNullable<Question['question']>;
type Body = Answer['answer'];

/** Edges whose waits are short, so that an answer is seen soon. */
export function impatientEdges(ledger: Ledger): Edges {
  return {
    ...edgesOn(ledger),
    newId: (prefix) => `${prefix}_${randomUUID()}`,
    after: (ms, act) => {
      const timer = setTimeout(act, Math.min(ms, 5));
      return () => clearTimeout(timer);
    },
  };
}

/** An agent of this name that is connected for an hour. */
export async function connected(ledger: Ledger, name = 'web-1'): Promise<void> {
  await ledger.enrolAgent({
    name,
    labels: {},
    certificateSerial: '01',
    certificateExpiresAt: new Date(Date.now() + 1e9),
  });
  await ledger.takeLease(name, {
    ...{ controllerId: 'c_1', leaseMs: 3_600_000, agentVersion: '0', bootId: 'b', instanceId: 'i', live: [] },
  });
}

/** Answers every question to the host until `work` has ended; returns what it was asked, in short. */
export async function whileAnswering(
  ledger: Ledger,
  answer: (asked: Asked) => Body,
  work: () => Promise<void>,
  host = 'web-1',
): Promise<readonly string[]> {
  const asked: string[] = [];
  let over = false;
  const answering = (async () => {
    while (!over) {
      for (const { id, question } of await ledger.openQuestions(host)) {
        const body = Question.decode(question).question as Asked;
        asked.push(inShort(body));
        const answerBody = answer(body);
        await ledger.answerQuestion(id, host, Answer.encode({ questionId: id, answer: answerBody }).finish());
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  try {
    await work();
  } finally {
    over = true;
    await answering;
  }
  return asked;
}

/** As git would answer of a linear history, the oldest first, in which each commit changed the paths named for it. */
export function fromHistory(
  history: readonly string[],
  paths: Readonly<Record<string, readonly string[]>> = {},
) {
  return (asked: Asked): Body => {
    const place = (commit: string): number => history.indexOf(commit);
    if (asked.$case === 'isAncestor') {
      const { ancestor, descendant } = asked.value;
      if (place(ancestor) < 0 || place(descendant) < 0) return gone();
      return { $case: 'ancestry', value: { isAncestor: place(ancestor) <= place(descendant) } };
    }
    if (asked.$case !== 'changedPaths') return gone();
    const { from, to } = asked.value;
    if (place(from) < 0 || place(to) < 0) return gone();
    const between = history.slice(place(from) + 1, place(to) + 1).flatMap((one) => paths[one] ?? []);
    return { $case: 'pathsBetween', value: { paths: between, truncated: false } };
  };
}

function gone(): Body {
  return { $case: 'refused', value: reason('commit_not_found', 'the commit is gone') };
}

function inShort(asked: Asked): string {
  switch (asked.$case) {
    case 'isAncestor':
      return `${asked.value.ancestor.slice(0, 1)} in ${asked.value.descendant.slice(0, 1)}?`;
    case 'changedPaths':
      return `${asked.value.from.slice(0, 1)}..${asked.value.to.slice(0, 1)}?`;
    case 'resolveRef':
      return `${asked.value.ref}?`;
    case 'inspect':
    case 'preview':
      return asked.$case;
  }
}
