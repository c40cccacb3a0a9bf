import type { LiveFraise } from '../../../proto/gen/fraisier/v1/agent.js';

/** Agents, their leases, and how they enrol. Part of `Ledger`. */
export interface AgentLedger {
  agents(): Promise<readonly AgentRow[]>;
  agent(name: string): Promise<AgentRow | null>;
  /** Makes the agent, or on re-enrolment replaces its labels, certificate and connection and lifts a revocation. */
  enrolAgent(agent: EnrolledAgent): Promise<AgentRow>;
  revokeAgent(name: string): Promise<boolean>;
  setCertificate(name: string, serial: string, expiresAt: Date): Promise<void>;
  /** Takes the connection lease over from whoever had it. Returns the new epoch, or null for an unknown or revoked agent. */
  takeLease(name: string, lease: NewLease): Promise<number | null>;
  /** False when the epoch is no longer the newest or the agent was revoked: the caller's stream is dead. */
  renewLease(name: string, epoch: number, leaseMs: number): Promise<boolean>;
  /** Locks the lease for the transaction's length (shared); false when the epoch is no longer the newest. */
  holdLease(name: string, epoch: number): Promise<boolean>;
  /** Ends the lease now if the epoch still holds it. */
  endLease(name: string, epoch: number): Promise<void>;
  /** Replaces the whole list of each of these agents. */
  setLive(live: ReadonlyMap<string, readonly LiveFraise[]>): Promise<void>;
  insertJoinToken(token: NewJoinToken): Promise<void>;
  /** Locks the token's row. */
  holdJoinToken(tokenHash: string): Promise<JoinTokenRow | null>;
  useJoinToken(tokenHash: string, publicKeyHash: string): Promise<void>;
}

export interface EnrolledAgent {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly certificateSerial: string;
  readonly certificateExpiresAt: Date;
}

export interface AgentRow extends EnrolledAgent {
  readonly enrolledAt: Date;
  readonly revokedAt: Date | null;
  /** The controller that holds its stream, while the lease is valid. */
  readonly controllerId: string | null;
  readonly epoch: number;
  readonly leaseExpiresAt: Date | null;
  readonly lastSeenAt: Date | null;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly live: readonly LiveFraise[];
}

export interface NewLease {
  readonly controllerId: string;
  readonly leaseMs: number;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly instanceId: string;
  readonly live: readonly LiveFraise[];
}

export interface NewJoinToken {
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdBy: string;
  readonly expiresAt: Date;
}

export interface JoinTokenRow extends NewJoinToken {
  readonly usedAt: Date | null;
  /** SHA-256 of the public key it was used with: the same key may ask again. */
  readonly usedByKey: string | null;
}
