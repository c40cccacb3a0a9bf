import type {
  Ancestry,
  Answer,
  ChangedPaths,
  HostPreview,
  InspectFraise,
  Inspection,
  IsAncestor,
  PathsBetween,
  Preview,
  Question,
  ResolvedRef,
  ResolveRef,
} from '../proto/gen/fraisier/v1/agent.js';
import { FraisierError, reason } from '../proto/error-codes.js';
import type { Clock } from './clock.js';

/** What can be asked of a host. All of it is read-only and asks the host's policy; each throws FraisierError to refuse. */
export interface Asks {
  readonly resolveRef: (question: ResolveRef, signal: AbortSignal) => Promise<ResolvedRef>;
  readonly inspect: (question: InspectFraise, signal: AbortSignal) => Promise<Inspection>;
  readonly preview: (question: Preview, signal: AbortSignal) => Promise<HostPreview>;
  readonly isAncestor: (question: IsAncestor, signal: AbortSignal) => Promise<Ancestry>;
  readonly changedPaths: (question: ChangedPaths, signal: AbortSignal) => Promise<PathsBetween>;
}

const DEFAULT_DEADLINE_MS = 30_000;

/** Answers one question within its deadline. Never throws: what cannot be answered is `refused` with a reason. */
export async function answerQuestion(
  { asks, clock }: { readonly asks: Asks; readonly clock: Clock },
  question: Question,
  signal: AbortSignal,
): Promise<Answer> {
  const { questionId } = question;
  const deadlineMs = question.deadlineMs || DEFAULT_DEADLINE_MS;
  const over = new AbortController();
  const late = clock.sleep(deadlineMs, AbortSignal.any([signal, over.signal])).then(() => {
    const error = new FraisierError('no_answer', `the host could not answer within ${deadlineMs / 1000} s`);
    over.abort(error);
    throw error;
  });
  try {
    return { questionId, answer: await Promise.race([ask(asks, question, over.signal), late]) };
  } catch (error) {
    const why =
      error instanceof FraisierError
        ? error.reason
        : reason('internal', `the question broke: ${String(error)}`);
    return { questionId, answer: { $case: 'refused', value: why } };
  } finally {
    over.abort(new FraisierError('no_answer', 'the question is over'));
  }
}

async function ask(asks: Asks, { question }: Question, signal: AbortSignal): Promise<Answer['answer']> {
  switch (question?.$case) {
    case 'resolveRef':
      return { $case: 'resolved', value: await asks.resolveRef(question.value, signal) };
    case 'inspect':
      return { $case: 'inspection', value: await asks.inspect(question.value, signal) };
    case 'preview':
      return { $case: 'preview', value: await asks.preview(question.value, signal) };
    case 'isAncestor':
      return { $case: 'ancestry', value: await asks.isAncestor(question.value, signal) };
    case 'changedPaths':
      return { $case: 'pathsBetween', value: await asks.changedPaths(question.value, signal) };
    case undefined:
      throw new FraisierError('protocol_violation', 'this agent does not know the question', {
        hint: 'upgrade the agent',
      });
  }
}
