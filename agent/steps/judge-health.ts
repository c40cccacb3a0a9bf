import type { ErrorCode } from '../../proto/error-codes.js';
import type { Health } from '../../proto/gen/fraisier/v1/plan.js';
import type { ProbeAnswer } from './probe.js';

/** What one answer means. `answer` is one line for people and records. */
export interface Verdict {
  readonly healthy: boolean;
  readonly answer: string;
  /** Why it is not, as the code of a reason. */
  readonly code: Extract<ErrorCode, 'health_check_failed' | 'wrong_version'>;
  /** Empty when it was not asked for or not found. */
  readonly servedVersion: string;
}

const SHOWN_CHARACTERS = 200;
const SHORTEST_VERSION = 7;

type Wanted = Pick<Health, 'expectStatus' | 'versionField' | 'expectVersion'>;

/** Compares an answer with what the check wants: status first, then the version. Pure. */
export function judge(answer: ProbeAnswer, wanted: Wanted): Verdict {
  switch (answer.got) {
    case 'nothing':
      return unhealthy(answer.why);
    case 'connection':
      return healthy('connected', '');
    case 'response':
      return judgeResponse(answer.status, answer.body, wanted);
  }
}

function judgeResponse(status: number, body: string, wanted: Wanted): Verdict {
  const said = `${status} ${body.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARACTERS)}`.trimEnd();
  const expected = wanted.expectStatus === 0 ? 200 : wanted.expectStatus;
  if (status !== expected) return unhealthy(`${said} (wanted ${expected})`);
  if (wanted.versionField === '') return healthy(said, '');
  const version = fieldOf(body, wanted.versionField);
  if (version === null) return unhealthy(`${said} (it has no field "${wanted.versionField}")`);
  if (wanted.expectVersion === '' || isVersion(version, wanted.expectVersion)) return healthy(said, version);
  const answer = `it serves version ${version.slice(0, SHOWN_CHARACTERS)}, not ${wanted.expectVersion}`;
  return { healthy: false, answer, code: 'wrong_version', servedVersion: version };
}

function healthy(answer: string, servedVersion: string): Verdict {
  return { healthy: true, answer, code: 'health_check_failed', servedVersion };
}

/** The verdict on an answer that was not the wanted one. */
export function unhealthy(answer: string): Verdict {
  return { healthy: false, answer, code: 'health_check_failed', servedVersion: '' };
}

/** A short version is as good as the whole, from seven characters on. */
export function isVersion(served: string, expected: string): boolean {
  return served === expected || (served.length >= SHORTEST_VERSION && expected.startsWith(served));
}

/** The text or number at a dotted path of a JSON answer; null when there is none. */
export function fieldOf(body: string, path: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return null;
    value = Object.entries(value).find(([key]) => key === name)?.[1];
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}
