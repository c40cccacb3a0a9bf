import { Metadata } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { formatAddress, parseAddress } from '../proto/address.js';
import {
  EnrollmentClient,
  type EnrollRequest,
  type EnrollResponse,
} from '../proto/gen/fraisier/v1/enrollment.js';
import { FraisierError } from '../proto/error-codes.js';
import { fromServiceError } from '../proto/grpc-errors.js';
import { fetchPinnedAuthority } from '../proto/pinned-authority.js';
import { PROTOCOL_VERSION } from '../proto/protocol-version.js';
import { parseToken } from '../proto/tokens.js';
import { Backoff } from './backoff.js';
import type { Clock } from './clock.js';
import { hasEnded, type IdentityStore } from './identity.js';
import { secureChannel } from './secure-channel.js';
import { newKey, signingRequest } from './signing-request.js';

/** The controllers' port for command lines and enrolment. */
const DEFAULT_PORT = 9090;
const CALL_MS = 15_000;

export interface EnrolmentPorts {
  readonly identities: IdentityStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly agentVersion: string;
  readonly logger: Logger;
}

/** What is needed to enrol; the token is a secret and stays out of every message. */
export interface EnrolmentOrder {
  /** `HOST[:PORT]` of controllers' command line port, tried in turn. */
  readonly controllers: readonly string[];
  readonly token: string;
}

/**
 * Trades a join token for a certificate, unless the agent has one that is still good. The key is stored before it is
 * shown, so that a repeat after a lost answer or a kill -9 is the same request. Tries until `signal` aborts while no
 * controller answers; throws FraisierError when one refuses (`token_…`, `controller_untrusted`, …).
 */
export async function enrol(
  ports: EnrolmentPorts,
  order: EnrolmentOrder,
  signal: AbortSignal,
): Promise<'enrolled' | 'already'> {
  const identity = await ports.identities.load();
  if (identity !== null && !hasEnded(identity, ports.clock.now())) return 'already';
  if (order.controllers.length === 0) throw noController();
  const { kind, fingerprint } = parseToken(order.token);
  if (kind !== 'join')
    throw new FraisierError('token_invalid', 'this is a token for the API, not one to join with');
  const keyPem = await keyToEnrolWith(ports.identities);
  const request = {
    token: order.token.trim(),
    csrPem: await signingRequest(keyPem),
    protocolVersion: PROTOCOL_VERSION,
    agentVersion: ports.agentVersion,
  };
  const answer = await untilAnswered(ports, order.controllers, { request, fingerprint }, signal);
  await ports.identities.setControllers(answer.controllers);
  await ports.identities.save({
    keyPem,
    certificatePem: answer.certificatePem,
    authorityPem: answer.authorityPem,
  });
  await ports.identities.setEnrollingKey(null);
  ports.logger.info({ name: answer.agentName, labels: answer.labels }, 'enrolled');
  return 'enrolled';
}

interface Asked {
  readonly request: EnrollRequest;
  readonly fingerprint: string;
}

async function keyToEnrolWith(identities: IdentityStore): Promise<string> {
  const begun = await identities.enrollingKey();
  if (begun !== null) return begun;
  const keyPem = await newKey();
  await identities.setEnrollingKey(keyPem);
  return keyPem;
}

async function untilAnswered(
  { clock, logger, random }: EnrolmentPorts,
  controllers: readonly string[],
  asked: Asked,
  signal: AbortSignal,
): Promise<EnrollResponse> {
  const backoff = new Backoff(random);
  for (let turn = 0; ; turn += 1) {
    const address = controllers[turn % controllers.length] as string;
    try {
      return await ask(address, asked);
    } catch (error) {
      if (!(error instanceof FraisierError) || error.reason.code !== 'controller_away') throw error;
      const pauseMs = backoff.next();
      logger.warn({ address, pauseMs, why: error.message }, 'no controller to enrol with; trying again');
      await clock.sleep(pauseMs, signal);
    }
  }
}

/** Nothing is sent before the chain was found to be that of the token. */
async function ask(address: string, { request, fingerprint }: Asked): Promise<EnrollResponse> {
  const { authorityPem } = await fetchPinnedAuthority(address, fingerprint);
  const target = formatAddress(parseAddress(address, DEFAULT_PORT));
  const { secure, options } = secureChannel(target, { authorityPem });
  const client = new EnrollmentClient(target, secure, options);
  try {
    return await new Promise<EnrollResponse>((resolve, reject) => {
      client.enroll(request, new Metadata(), { deadline: Date.now() + CALL_MS }, (error, answer) => {
        if (error === null) resolve(answer);
        else reject(fromServiceError(error));
      });
    });
  } finally {
    client.close();
  }
}

function noController(): FraisierError {
  return new FraisierError('usage', 'the agent is not enrolled and does not know where a controller is', {
    hint: 'say where with --controller HOST, or FRAISIER_CONTROLLER',
  });
}
