/** What an answer of a git host comes to. Reasons are for people and hold no secret. */
export type Verdict =
  | { readonly is: 'taken' }
  /** Worth another attempt; `hostAfterMs`: the host said when, and means everything that is sent to it. */
  | { readonly is: 'later'; readonly why: string; readonly hostAfterMs: number | null }
  | { readonly is: 'refused'; readonly why: string };

export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** The beginning of the body. */
  readonly text: string;
}

/** A host that says longer is asked again after this. */
const LONGEST_MS = 24 * 3_600_000;

/** Conflicts and the like pass; so does all that is the host's own fault. */
const PASSING = new Set([408, 409, 425, 429]);

/** A redirect is not followed: the token is for the host that is configured. */
export function judgeAnswer(answer: Answer, now: Date): Verdict {
  const { status } = answer;
  const why = `${status}${said(answer)}`;
  if (status >= 200 && status < 300) return { is: 'taken' };
  if (status >= 300 && status < 400) {
    return { is: 'refused', why: `${why}: it redirects; is base_url right, and has the repository moved?` };
  }
  const hostAfterMs = waitAskedFor(answer, now);
  // GitHub answers 403 as well as 429 to those who ask too often.
  const isLimited = status === 403 && hostAfterMs !== null;
  if (PASSING.has(status) || status >= 500 || isLimited) return { is: 'later', why, hostAfterMs };
  return { is: 'refused', why };
}

/** `Retry-After` in seconds or as a date; GitHub's own headers when it has none left. */
function waitAskedFor({ headers }: Answer, now: Date): number | null {
  const asked = headers.get('retry-after');
  const isSpent = headers.get('x-ratelimit-remaining') === '0';
  const reset = isSpent ? headers.get('x-ratelimit-reset') : null;
  const ms =
    asked !== null ? parseWait(asked, now) : reset === null ? null : Number(reset) * 1000 - Number(now);
  return ms === null || Number.isNaN(ms) ? null : Math.min(Math.max(ms, 1000), LONGEST_MS);
}

function parseWait(text: string, now: Date): number {
  return /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Number(now);
}

/** The `message` or `error` that the APIs put into their answers, on one line. */
function said({ text }: Answer): string {
  const found = /"(?:message|error)"\s*:\s*"((?:[^"\\]|\\.){1,200})"/.exec(text)?.[1];
  return found === undefined ? '' : ` ${found.replace(/[^\x21-\x7e]+/g, ' ')}`;
}
