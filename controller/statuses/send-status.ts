import type { StatusRequest } from './commit-status.js';
import { judgeAnswer, type Verdict } from './judge-answer.js';

/** `fetch`, as far as it is needed: the way out is handed in. */
export type Transport = (url: string, init: RequestInit) => Promise<Response>;

export interface SendEdges {
  readonly transport: Transport;
  readonly now: () => Date;
  /** From the beginning to the end of the answer. */
  readonly timeoutMs: number;
  /** Ends what is under way when the controller stops. */
  readonly stopping: AbortSignal;
}

/** Of an answer no more is read. */
const READ_BYTES = 4096;

/** Sends it once. Never throws; no reason holds the token, also if the host sends it back. */
export async function sendStatus(edges: SendEdges, request: StatusRequest, token: string): Promise<Verdict> {
  const { transport, now, timeoutMs, stopping } = edges;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await transport(request.url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([timeout, stopping]),
      headers: {
        accept: 'application/json',
        ...request.headers,
        'content-type': 'application/json',
        'user-agent': 'fraisier',
      },
      body: request.body,
    });
    const text = (await beginningOf(response)).replaceAll(token, '(token)');
    if (response.status === 400 && request.knownAlready?.test(text)) return { is: 'taken' };
    return judgeAnswer({ status: response.status, headers: response.headers, text }, now());
  } catch (error) {
    return { is: 'later', why: whyNoAnswer(error, { timeout, stopping, timeoutMs }), hostAfterMs: null };
  }
}

async function beginningOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop gives the rest up.
  for await (const part of body ?? []) {
    parts.push(part);
    length += part.length;
    if (length >= READ_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, READ_BYTES).toString();
}

/** Names the kind of error only: messages of a client may quote what was to be sent. */
function whyNoAnswer(
  error: unknown,
  { timeout, stopping, timeoutMs }: { timeout: AbortSignal; stopping: AbortSignal; timeoutMs: number },
): string {
  if (stopping.aborted) return 'the controller was stopped before the answer came';
  if (timeout.aborted) return `no answer within ${timeoutMs} ms`;
  const { cause, code } = error as { readonly cause?: { readonly code?: unknown }; readonly code?: unknown };
  const known = cause?.code ?? code;
  return `no answer: ${typeof known === 'string' ? known : 'connection failed'}`;
}
