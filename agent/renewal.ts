import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { FromAgent, RenewAnswer } from '../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../proto/error-codes.js';
import { sleepUntil, type Clock } from './clock.js';
import { renewalDueAt, type Identity, type IdentityStore } from './identity.js';
import { newKey, signingRequest } from './signing-request.js';

/** A request that is not answered is made again, with a new key. */
const ANSWER_MS = 60_000;

export interface Renewal {
  /** Resolves when a new key and certificate are stored; rejects with the signal's reason. */
  readonly stored: Promise<void>;
  readonly answered: (answer: RenewAnswer) => void;
}

export type StartRenewal = (
  send: (message: NonNullable<FromAgent['message']>) => Promise<void>,
  signal: AbortSignal,
) => Renewal;

/** Renews the certificate over a stream when half of its life is used up: new key, request, answer, store. */
export function startRenewal(ports: { clock: Clock; identities: IdentityStore }): StartRenewal {
  return (send, signal) => {
    let take: (answer: RenewAnswer) => void = () => undefined;
    const renew = async (): Promise<void> => {
      const identity = await ports.identities.valid(ports.clock.now());
      await sleepUntil(ports.clock, renewalDueAt(identity), signal);
      for (;;) {
        const keyPem = await newKey();
        const answer = new Promise<RenewAnswer>((resolve) => (take = resolve));
        await send({ $case: 'renew', value: { csrPem: await signingRequest(keyPem) } });
        const answered = await Promise.race([answer, ports.clock.sleep(ANSWER_MS, signal).then(() => null)]);
        if (answered === null) continue;
        return ports.identities.save(checked(keyPem, answered, identity));
      }
    };
    return { stored: renew(), answered: (answer) => take(answer) };
  };
}

function checked(keyPem: string, { certificatePem, authorityPem }: RenewAnswer, before: Identity): Identity {
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) {
    throw new FraisierError(
      'protocol_violation',
      'the controller answered a renewal with a certificate for another key',
    );
  }
  return { keyPem, certificatePem, authorityPem: authorityPem === '' ? before.authorityPem : authorityPem };
}
