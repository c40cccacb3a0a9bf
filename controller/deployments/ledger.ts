import type { AgentLedger } from './ledger/agent.js';
import type { ConfigurationLedger } from './ledger/configuration.js';
import type { DeliveryLedger } from './ledger/delivery.js';
import type { DeploymentLedger } from './ledger/deployment.js';
import type { LockLedger } from './ledger/lock.js';
import type { OutboxLedger } from './ledger/outbox.js';
import type { QuestionLedger } from './ledger/question.js';
import type { ReportLedger } from './ledger/report.js';
import type { RunLedger } from './ledger/run.js';

/**
 * The ledger as the use cases know it. Two implementations under one contract suite: PostgreSQL
 * (`controller/db/`) and memory (`test/support/memory-ledger.ts`).
 *
 * Guarantees of every implementation:
 *  - `transaction` is atomic; outside of it each call is its own transaction.
 *  - locks (`hold…`) are kept until the transaction ends; the order is fraise, then deployment, then run, then agent.
 *  - wake-ups sent in a transaction are delivered only if it commits; they can be lost, never invented.
 */
export interface Ledger
  extends
    ConfigurationLedger,
    DeploymentLedger,
    LockLedger,
    RunLedger,
    ReportLedger,
    AgentLedger,
    DeliveryLedger,
    QuestionLedger,
    OutboxLedger {
  transaction<T>(work: (tx: Ledger) => Promise<T>): Promise<T>;
  /** The ledger's own clock, the only one that leases and deadlines are compared with. */
  now(): Promise<Date>;
}
