import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { FraisierError } from '../proto/error-codes.js';
import type { Disk } from './disk.js';

/** Who this agent is, and whom it trusts. */
export interface Identity {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly authorityPem: string;
}

/**
 * The agent's key, certificate and authority in `<state>/identity/`, as numbered sets `<n>.{key,certificate,authority}.pem`
 * and a pointer `current` that is renamed into place last: whenever the agent is killed, what the pointer names is a whole set.
 */
export class IdentityStore {
  readonly #disk: Disk;
  readonly #folder: string;

  constructor(disk: Disk, stateFolder: string) {
    this.#disk = disk;
    this.#folder = join(stateFolder, 'identity');
  }

  /** Null: not enrolled yet. */
  async load(): Promise<Identity | null> {
    const number = await this.#current();
    if (number === 0) return null;
    const [keyPem, certificatePem, authorityPem] = await Promise.all([
      this.#read(`${number}.key.pem`),
      this.#read(`${number}.certificate.pem`),
      this.#read(`${number}.authority.pem`),
    ]);
    if (keyPem === null || certificatePem === null || authorityPem === null) throw incomplete(this.#folder);
    return { keyPem, certificatePem, authorityPem };
  }

  /** As `load`; throws FraisierError `unauthenticated` when there is none or its certificate has run out. */
  async valid(now: Date): Promise<Identity> {
    const identity = await this.load();
    if (identity === null) throw notEnrolled();
    if (hasEnded(identity, now)) throw ended(identity);
    return identity;
  }

  async save(identity: Identity): Promise<void> {
    const number = (await this.#current()) + 1;
    await this.#write(`${number}.key.pem`, identity.keyPem);
    await this.#write(`${number}.certificate.pem`, identity.certificatePem);
    await this.#write(`${number}.authority.pem`, identity.authorityPem);
    await this.#write('current', String(number));
    for (const name of await this.#disk.list(this.#folder)) {
      if (/^\d+\./.test(name) && !name.startsWith(`${number}.`))
        await this.#disk.remove(join(this.#folder, name));
    }
  }

  /** The key an enrolment was begun with, so that a repeat of it is recognised; null: none was begun. */
  enrollingKey(): Promise<string | null> {
    return this.#read('enrolling.key.pem');
  }

  /** Null forgets it. */
  async setEnrollingKey(keyPem: string | null): Promise<void> {
    if (keyPem !== null) await this.#write('enrolling.key.pem', keyPem);
    else await this.#disk.remove(join(this.#folder, 'enrolling.key.pem'));
  }

  /** `HOST:PORT` of every controller's agents' port, as last heard. */
  async controllers(): Promise<readonly string[]> {
    const text = await this.#read('controllers.json');
    return text === null ? [] : (JSON.parse(text) as readonly string[]);
  }

  async setControllers(addresses: readonly string[]): Promise<void> {
    const known = await this.controllers();
    if (addresses.length === 0 || known.join() === addresses.join()) return;
    await this.#write('controllers.json', JSON.stringify(addresses));
  }

  async #current(): Promise<number> {
    return Number(await this.#read('current'));
  }

  async #read(name: string): Promise<string | null> {
    const bytes = await this.#disk.read(join(this.#folder, name));
    return bytes === null ? null : Buffer.from(bytes).toString();
  }

  async #write(name: string, text: string): Promise<void> {
    await this.#disk.makeFolder(this.#folder);
    await this.#disk.writeWhole(join(this.#folder, name), Buffer.from(text));
  }
}

/** Whether the certificate is of no use any more. */
export function hasEnded({ certificatePem }: Identity, now: Date): boolean {
  return Date.parse(new X509Certificate(certificatePem).validTo) <= now.getTime();
}

/** When half of the certificate's life is used up, with the key it belongs to still good for the other half. */
export function renewalDueAt({ certificatePem }: Identity): Date {
  const { validFrom, validTo } = new X509Certificate(certificatePem);
  return new Date((Date.parse(validFrom) + Date.parse(validTo)) / 2);
}

/** The refusal to begin without an identity: says how to enrol. */
export function notEnrolled(): FraisierError {
  return new FraisierError('unauthenticated', 'this agent is not enrolled', {
    hint: 'make a token with `fraisier agents token --name HOST` and start the agent with it once',
  });
}

function ended({ certificatePem }: Identity): FraisierError {
  const at = new X509Certificate(certificatePem).validTo;
  return new FraisierError(
    'unauthenticated',
    `this agent's certificate ran out on ${at}, while it could not renew it`,
    {
      hint: 'make a token with `fraisier agents token --name HOST` and start the agent with it once',
    },
  );
}

function incomplete(folder: string): FraisierError {
  return new FraisierError('internal', `${folder} is not complete: a key or a certificate is missing`, {
    hint: `remove ${folder} and enrol again with a new join token`,
  });
}
