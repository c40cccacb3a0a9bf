import type { ErrorCode } from '../../proto/error-codes.js';
import type { HttpProbe } from '../../proto/gen/fraisier/v1/plan.js';

/** What one answer means. `answer` is one line for people and records. */
export interface Verdict {
  readonly healthy: boolean;
  readonly answer: string;
  /** Why it is not, as the code of a reason. `health_misconfigured`: asking again cannot help. */
  readonly code: Extract<ErrorCode, 'health_check_failed' | 'wrong_version' | 'health_misconfigured'>;
  /** Empty when it was not asked for or not found. */
  readonly servedVersion: string;
  /** What to mend in the configuration or on the host; empty unless misconfigured. */
  readonly mend: string;
}

const SHOWN_CHARACTERS = 200;
const SHORTEST_VERSION = 7;

type Wanted = Pick<
  HttpProbe,
  'expectStatuses' | 'versionField' | 'expectVersion' | 'jsonEquals' | 'bodyContains'
>;

/** Compares an answer with what the check wants: status first, then the version, its fields and its text. Pure. */
export function judgeResponse(status: number, body: string, wanted: Wanted): Verdict {
  const said = `${status} ${oneLine(body)}`.trimEnd();
  const statuses = wanted.expectStatuses.length === 0 ? [200] : wanted.expectStatuses;
  if (!statuses.includes(status)) return wrongStatus(status, `${said} (wanted ${statuses.join(' or ')})`);
  const version = wanted.versionField === '' ? '' : fieldOf(body, wanted.versionField);
  if (version === null) return unhealthy(`${said} (it has no field "${wanted.versionField}")`);
  if (
    wanted.versionField !== '' &&
    wanted.expectVersion !== '' &&
    !isVersion(version, wanted.expectVersion)
  ) {
    const answer = `it serves version ${oneLine(version)}, not ${wanted.expectVersion}`;
    return { ...unhealthy(answer), code: 'wrong_version', servedVersion: version };
  }
  const fault = wrongField(body, wanted) || missingText(body, wanted);
  return fault === ''
    ? healthy(said, version)
    : { ...unhealthy(`${said} (${fault})`), servedVersion: version };
}

/** Who asks for a login asks again next time. */
function wrongStatus(status: number, answer: string): Verdict {
  if (status !== 401 && status !== 403) return unhealthy(answer);
  return misconfigured(
    answer,
    'the address wants to know who asks: give the check `headers`, let it ask an address that is open on the host, or expect this status',
  );
}

function wrongField(body: string, { jsonEquals }: Wanted): string {
  for (const [path, wanted] of Object.entries(jsonEquals)) {
    const found = fieldOf(body, path);
    if (found === null) return `it has no field "${path}"`;
    if (found !== wanted) return `its field "${path}" is "${oneLine(found)}", not "${wanted}"`;
  }
  return '';
}

function missingText(body: string, { bodyContains }: Wanted): string {
  return body.includes(bodyContains) ? '' : `it does not contain "${bodyContains}"`;
}

/** What was said, cut to what fits a line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARACTERS);
}

/** The verdict on an answer that was the wanted one. */
export function healthy(answer: string, servedVersion = ''): Verdict {
  return { healthy: true, answer, code: 'health_check_failed', servedVersion, mend: '' };
}

/** The verdict on an answer that was not the wanted one, and may be yet. */
export function unhealthy(answer: string): Verdict {
  return { healthy: false, answer, code: 'health_check_failed', servedVersion: '', mend: '' };
}

/** The verdict on a check that cannot turn green by waiting; `mend` is what to do. */
export function misconfigured(answer: string, mend: string): Verdict {
  return { ...unhealthy(answer), code: 'health_misconfigured', mend };
}

/** A short version is as good as the whole, from seven characters on. */
export function isVersion(served: string, expected: string): boolean {
  return served === expected || (served.length >= SHORTEST_VERSION && expected.startsWith(served));
}

/** The text, number or word (`true`, `false`) at a dotted path of a JSON answer; null when there is none. */
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
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : null;
}
