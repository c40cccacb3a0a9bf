import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../proto/package-root.js';
import type { SignedDelivery } from './github.js';

/** A payload as the documentation of its git host describes it. */
export interface ExamplePayload {
  /** Below `test/support/payloads/`; its folder is the kind of git host. */
  readonly file: string;
  /** The page, or the code, that says so. */
  readonly source: string;
  /** As the git host sends them, without a signature. */
  readonly headers: Readonly<Record<string, string>>;
  /** What must be understood of it, an object for each event. */
  readonly expected: readonly Readonly<Record<string, unknown>>[];
  readonly payload: Readonly<Record<string, unknown>>;
}

const FOLDER = join(packageRoot(), 'test', 'support', 'payloads');

/** Every committed example, of all git hosts but GitHub, whose own are a package. */
export function examplePayloads(): readonly ExamplePayload[] {
  const index = read('index.json') as readonly Omit<ExamplePayload, 'payload'>[];
  return index.map((one) => ({ ...one, payload: read(one.file) as ExamplePayload['payload'] }));
}

export function examplePayload(file: string): ExamplePayload {
  const found = examplePayloads().find((one) => one.file === file);
  if (found === undefined) throw new Error(`there is no example ${file}`);
  return found;
}

/** The example, or another payload with its headers, signed as its git host does. */
export function signedExample(
  { file, headers, payload }: ExamplePayload,
  secret: string,
  other: unknown = payload,
): SignedDelivery {
  const body = Buffer.from(JSON.stringify(other));
  return { body, headers: { ...headers, ...signatureHeaders(hostOf(file), headers, body, secret) } };
}

/** The headers that prove a delivery at each kind of git host; `headers` are its others. */
export function signatureHeaders(
  host: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  secret: string,
): Record<string, string> {
  const hex = createHmac('sha256', secret).update(body).digest('hex');
  switch (host) {
    case 'gitlab':
      return { 'x-gitlab-token': secret };
    case 'bitbucket-cloud':
    case 'bitbucket-data-center':
      return { 'x-hub-signature': `sha256=${hex}` };
    default: {
      const names = Object.keys(headers).filter((name) => /^x-(forgejo|gitea|gogs)-event$/.test(name));
      const imitated = names.length > 1 ? { 'x-hub-signature-256': `sha256=${hex}` } : {};
      return {
        ...Object.fromEntries(names.map((name) => [name.replace(/event$/, 'signature'), hex])),
        ...imitated,
      };
    }
  }
}

export function hostOf(file: string): string {
  return file.slice(0, file.indexOf('/'));
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
}
