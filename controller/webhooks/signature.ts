import { createHash, createHmac, timingSafeEqual, type BinaryLike } from 'node:crypto';

/** Which of the secrets, or null. An empty one is never it: anybody could have it. */
export type SecretMatch = { readonly secretIndex: number } | null;

/** Which of the secrets is the key of this HMAC-SHA256 (64 hexadecimal digits, lower case) over these very bytes. */
export function matchHexHmac(signed: BinaryLike, hex: string, secrets: readonly string[]): SecretMatch {
  if (!/^[0-9a-f]{64}$/.test(hex)) return null;
  const signature = Buffer.from(hex, 'hex');
  return firstMatch(secrets, (secret) => timingSafeEqual(hmac(secret, [signed]), signature));
}

/** The HMAC-SHA256 of these parts, one after the other. */
export function hmac(key: BinaryLike, parts: readonly BinaryLike[]): Buffer {
  const made = createHmac('sha256', key);
  for (const part of parts) made.update(part);
  return made.digest();
}

/** Whether two values are the same, in a time that tells nothing of where they differ or how long they are. */
export function sameValue(one: BinaryLike, other: BinaryLike): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

/** The first secret that `matches`; none that is empty is asked. */
export function firstMatch(secrets: readonly string[], matches: (secret: string) => boolean): SecretMatch {
  const secretIndex = secrets.findIndex((secret) => secret !== '' && matches(secret));
  return secretIndex < 0 ? null : { secretIndex };
}

function digest(value: BinaryLike): Buffer {
  return createHash('sha256').update(value).digest();
}
