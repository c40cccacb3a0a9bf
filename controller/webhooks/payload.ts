import { FraisierError } from '../../proto/error-codes.js';
import { headerOf, printable, type Headers } from './provider.js';
import type { Pushed } from './push-event.js';

/** A JSON object that somebody else wrote: every value may be anything. */
export type Json = Readonly<Record<string, unknown>>;

const FORM = 'application/x-www-form-urlencoded';

/** The JSON text of a delivery: the body, or the field `payload` of a form. Throws FraisierError `unparseable`. */
export function payloadText(rawBody: Uint8Array, headers: Headers): string {
  const text = Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength).toString('utf8');
  if (!isForm(headers)) return text;
  const json = new URLSearchParams(text).get('payload');
  if (json === null) throw unparseable('the form has no field `payload`');
  return json;
}

/** Whether the content type is that of a form. */
export function isForm(headers: Headers): boolean {
  return headerOf(headers, 'content-type').toLowerCase().startsWith(FORM);
}

/** The payload as an object. Throws FraisierError `unparseable`. */
export function payloadOf(rawBody: Uint8Array, headers: Headers): Json {
  const json = payloadText(rawBody, headers);
  try {
    const payload: unknown = JSON.parse(json);
    if (isObject(payload)) return payload;
  } catch (error) {
    throw unparseable('the body is not JSON', error);
  }
  throw unparseable('the payload is not a JSON object');
}

/** A name of git: not empty, without control characters, of a length that git itself could store. */
export function textAt(json: Json, key: string): string {
  const value = json[key];
  if (typeof value !== 'string' || value === '' || value.length > 1024 || printable(value) !== value) {
    throw unparseable(`\`${key}\` is not the name of a ref`);
  }
  return value;
}

/** A full SHA, lower case. */
export function shaAt(json: Json, key: string): string {
  const value = json[key];
  if (typeof value !== 'string' || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value)) {
    throw unparseable(`\`${key}\` is not the full SHA of a commit`);
  }
  return value.toLowerCase();
}

/** An object that must be there. Throws FraisierError `unparseable`. */
export function objectAt(json: Json, key: string): Json {
  const value = json[key];
  if (!isObject(value)) throw unparseable(`the payload has no \`${key}\``);
  return value;
}

/** Whatever is there, as an object: empty when it is none. For what may be missing. */
export function maybeObject(value: unknown): Json {
  return isObject(value) ? value : {};
}

/** A text for people, cut to 200 characters and without control characters; empty when there is none. */
export function wordAt(json: Json, key: string): string {
  const value = json[key];
  return typeof value === 'string' ? printable(value.slice(0, 200)) : '';
}

/** A whole number that counts something; null for anything else. */
export function countAt(json: Json, key: string): number | null {
  const value = json[key];
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

/** Seconds since 1970, or ISO 8601; null for anything that is no time. */
export function timeAt(json: Json, key: string): Date | null {
  const value = json[key];
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const time = new Date(typeof value === 'number' ? value * 1000 : value);
  return Number.isNaN(time.getTime()) || time.getTime() < 0 ? null : time;
}

/** The addresses among these values. Throws FraisierError `unparseable` when there is none. */
export function addressesIn(values: readonly unknown[]): Pushed['repositoryUrls'] {
  const [first, ...others] = values.flatMap((url) =>
    typeof url === 'string' && url !== '' ? [printable(url.slice(0, 2048))] : [],
  );
  if (first === undefined) throw unparseable('the repository has no address');
  return [first, ...others];
}

/** Whether a value is an object and no list. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Only zeros: git's way to say that there is no commit. */
export function isNoCommit(sha: string): boolean {
  return /^0+$/.test(sha);
}

/** The one error of everything that a git host would not send. */
export function unparseable(problem: string, cause?: unknown): FraisierError {
  return new FraisierError('unparseable', `this is not what the git host would send: ${problem}`, {
    hint: 'look at the delivery on the page of the webhook at the git host, among its recent deliveries',
    cause,
  });
}
