import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { credentials, Metadata, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { pino } from 'pino';
import { createLedger } from '../../../controller/db/ledger.js';
import { listen } from '../../../controller/db/notify.js';
import { createRecords } from '../../../controller/db/records.js';
import { afterRealTime, type Edges } from '../../../controller/deployments/edges.js';
import type { Records, Role } from '../../../controller/deployments/records.js';
import type { ControlEdges } from '../../../controller/grpc/control-edges.js';
import { openServerIdentity } from '../../../controller/grpc/server-identity.js';
import { startCallersPort, startLocalSocket } from '../../../controller/grpc/server.js';
import { newId } from '../../../controller/ids.js';
import type { CertificateAuthority } from '../../../controller/pki/certificate-authority.js';
import { fromServiceError, PROTOCOL_METADATA } from '../../../proto/grpc-errors.js';
import { ControlClient, type ControlService } from '../../../proto/gen/fraisier/v1/control.js';
import { PROTOCOL_VERSION } from '../../../proto/protocol-version.js';
import { newToken, tokenHash } from '../../../proto/tokens.js';
import { withDatabase } from '../../support/database.js';
import { anAuthority, withFolder } from '../pki/support.js';

/** The callers' ports over PostgreSQL: TLS with tokens, and the unix socket. */
export interface CallersLab {
  readonly edges: Edges;
  readonly records: Records;
  readonly authority: CertificateAuthority;
  /** HOST:PORT of the TLS port. */
  readonly address: string;
  readonly socket: string;
  /** As whoever can open the socket. */
  readonly local: Caller;
  readonly logged: readonly string[];
  /** A client over TLS; null: without a token. */
  client(token: string | null): Caller;
  /** A new token with this role, and a client that brings it. */
  as(role: Role, more?: { expiresAt?: Date; revokedAt?: Date }): Promise<Caller>;
  /** What shutting down begins with. */
  shutDown(): void;
}

export async function withCallers(
  work: (lab: CallersLab) => Promise<void>,
  change: (deps: ControlEdges) => ControlEdges = (deps) => deps,
): Promise<void> {
  await withDatabase((db, { url }) =>
    withFolder(async (folder) => {
      const logged: string[] = [];
      const waking = await listen({ url }, { onError: (error) => logged.push(String(error)) });
      const authority = await anAuthority();
      const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
      const edges = {
        ledger: createLedger(db),
        waking,
        newId,
        environment: {},
        after: afterRealTime,
        leaseMs: 30_000,
      };
      const closing = new AbortController();
      const now = (): Date => new Date();
      const records = createRecords(db);
      const deps = change({
        edges,
        records,
        authority,
        logger,
        version: '0.1.0',
        randomBytes,
        now,
        closing: closing.signal,
        controllers: (seenAs) => Promise.resolve([`${seenAs}:9091`]),
        ownAddress: (seenAs) => `${seenAs}:9090`,
        webhooksAt: () => ({ url: 'https://deploy.example.com', note: '' }),
      });
      const identity = await openServerIdentity({
        authority,
        names: ['localhost'],
        after: afterRealTime,
        now,
        logger,
      });
      const tls = await startCallersPort(deps, identity, '127.0.0.1:0');
      const socket = await startLocalSocket(deps, join(folder, 'run', 's.sock'));
      const callers: Caller[] = [];
      const client = (token: string | null): Caller => {
        const root = credentials.createSsl(Buffer.from(authority.certificatePem));
        const caller = new Caller(new ControlClient(`localhost:${tls.address.split(':')[1]}`, root), token);
        callers.push(caller);
        return caller;
      };
      const as = async (
        role: Role,
        { expiresAt = null, revokedAt = null }: { expiresAt?: Date | null; revokedAt?: Date | null } = {},
      ) => {
        const token = newToken('api', authority.fingerprint, randomBytes);
        await records.insertApiToken({
          tokenHash: tokenHash(token),
          name: `a ${role}`,
          role,
          expiresAt,
          revokedAt,
        });
        return client(token);
      };
      const local = new Caller(
        new ControlClient(`unix:${socket.address}`, credentials.createInsecure()),
        null,
      );
      callers.push(local);
      const shared = {
        edges,
        records,
        authority,
        local,
        logged,
        client,
        as,
        shutDown: () => closing.abort(),
      };
      try {
        await work({ ...shared, address: tls.address, socket: socket.address });
      } finally {
        closing.abort();
        for (const caller of callers) caller.client.close();
        await tls.close();
        await socket.close();
        identity.close();
        await waking.close();
      }
    }),
  );
}

type Calls = typeof ControlService;
type Call = Exclude<keyof Calls, 'watch' | 'logs'>;
type Request<Name extends Call> = Parameters<Calls[Name]['requestSerialize']>[0];
type Response<Name extends Call> = ReturnType<Calls[Name]['responseDeserialize']>;

/** A client with what it sends along. */
export class Caller {
  readonly client: ControlClient;
  readonly #token: string | null;

  constructor(client: ControlClient, token: string | null) {
    this.client = client;
    this.#token = token;
  }

  metadata(protocol: string | null = String(PROTOCOL_VERSION)): Metadata {
    const metadata = new Metadata();
    if (this.#token !== null) metadata.set('authorization', `Bearer ${this.#token}`);
    if (protocol !== null) metadata.set(PROTOCOL_METADATA, protocol);
    return metadata;
  }

  /** One call; fails with the FraisierError it was refused with. */
  ask<Name extends Call>(
    name: Name,
    request: Request<Name>,
    metadata: Metadata = this.metadata(),
  ): Promise<Response<Name>> {
    return new Promise((resolve, reject) => {
      const call = this.client[name].bind(this.client) as unknown as (
        request: Request<Name>,
        metadata: Metadata,
        callback: (error: ServiceError | null, response: Response<Name>) => void,
      ) => unknown;
      call(request, metadata, (error, response) => {
        if (error === null) resolve(response);
        else reject(fromServiceError(error));
      });
    });
  }

  /** All messages of a stream until the server ends it; `seen` is told of each, and may cancel the call. */
  async collect<Message>(
    call: ClientReadableStream<Message>,
    seen: (message: Message, call: ClientReadableStream<Message>) => void = () => undefined,
  ): Promise<Message[]> {
    const messages: Message[] = [];
    return new Promise((resolve, reject) => {
      call.on('data', (message: Message) => {
        messages.push(message);
        seen(message, call);
      });
      call.on('error', (error: ServiceError) => reject(fromServiceError(error)));
      call.on('end', () => resolve(messages));
    });
  }
}
