import type { DeliveryRow } from './ledger/delivery.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { WebhookVerdict } from './lifecycle.js';

/** Reads for screens, over the same rows and views; no locks, no decisions. Bound by `controller/db/`. */
export interface Records {
  /** Newest first; `cursor` is the `next` of the page before. */
  deployments(query: DeploymentQuery): Promise<Page<DeploymentRow>>;
  stats(query: { readonly fraise: string | null; readonly days: number }): Promise<StatsRow>;
  deliveries(query: DeliveryQuery): Promise<Page<DeliveryLine>>;
  /** Whole; its body only `withBody`, and of that no more than an answer can hold: compare with `bodyBytes`. */
  delivery(id: string, withBody: boolean): Promise<WholeDelivery | null>;
  /** Output of a deployment in the order of runs, steps, attempts and offsets, after the given chunk number. */
  logs(query: LogQuery): Promise<readonly StoredLog[]>;
  apiToken(tokenHash: string): Promise<ApiTokenRow | null>;
  insertApiToken(token: ApiTokenRow & { readonly tokenHash: string }): Promise<void>;
  anyApiToken(): Promise<boolean>;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** Null: no more. */
  readonly next: string | null;
}

export interface DeploymentQuery {
  readonly fraise: string | null;
  readonly environment: string | null;
  readonly limit: number;
  readonly since: Date | null;
  readonly cursor: string | null;
}

/** In lists without its body. */
export interface DeliveryLine extends DeliveryRow {
  /** Of the body that is kept; null when none is. */
  readonly bodyBytes: number | null;
}

export interface WholeDelivery extends DeliveryLine {
  /** Deliveries that repeat or replay it, oldest first. */
  readonly repeatedBy: readonly string[];
}

export interface DeliveryQuery {
  readonly fraise: string | null;
  readonly since: Date | null;
  readonly limit: number;
  readonly cursor: string | null;
  readonly verdict: WebhookVerdict | null;
}

export interface LogQuery {
  readonly deploymentId: string;
  readonly host: string | null;
  readonly step: string | null;
  /** Chunks numbered above this; numbers follow commit order within one (run, step, attempt), and are unique. */
  readonly after: number;
  readonly limit: number;
  /** What comes once this much was found is left for the next page. */
  readonly mostBytes: number;
}

export interface StoredLog {
  readonly number: number;
  readonly runId: string;
  readonly host: string;
  readonly phase: string;
  readonly step: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly truncated: boolean;
  readonly storedAt: Date;
}

export interface StatsRow {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly rolledBack: number;
  readonly cancelled: number;
  readonly superseded: number;
  readonly durationMs: PercentileRow;
  readonly leadTimeMs: PercentileRow;
  readonly timeToRestoreMs: PercentileRow;
}

export interface PercentileRow {
  readonly p50: number | null;
  readonly p95: number | null;
}

export type Role = 'viewer' | 'deployer' | 'admin';

export interface ApiTokenRow {
  readonly name: string;
  readonly role: Role;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}
