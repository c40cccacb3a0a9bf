import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { DeploymentRow } from './ledger/deployment.js';
import type { RunRow } from './ledger/run.js';
import type { DeploymentStatus, RunPhase } from './lifecycle.js';
import { forward } from './decide-forward.js';
import { givenUp } from './decide-lost.js';
import { backward } from './decide-backward.js';
import { pausedUntilContinued } from './decide-paused.js';
import { latestRuns } from './runs-of-deployment.js';

/** A host as far as decisions go. */
export interface HostView {
  readonly name: string;
  /** Null: never connected. In the past: away since then. */
  readonly leaseExpiresAt: Date | null;
  /** Until when it may count on what it was assigned; later than its lease when the stream ended before. */
  readonly validUntil: Date | null;
}

/** Everything a decision is made of; the plan is in the deployment. */
export interface Situation {
  readonly deployment: DeploymentRow;
  /** Every run of it, oldest first. */
  readonly runs: readonly RunRow[];
  readonly hosts: readonly HostView[];
  readonly now: Date;
  /** Whoever decides has not been there for long: hosts may be away for no other reason, so nothing is given up for it. */
  readonly isGathering?: boolean;
}

/** What to do next. Nothing in it and no `move`: wait, for the reason given. */
export interface Decision {
  readonly move?: {
    readonly to: DeploymentStatus;
    readonly reason: Reason | null;
  };
  readonly start?: readonly RunStart[];
  /** Dispatched or running: the agent is told to stop them. */
  readonly cancel?: readonly { readonly run: RunRow; readonly reason: Reason }[];
  /** Still pending: they will never be dispatched. */
  readonly drop?: readonly {
    readonly run: RunRow;
    readonly to: 'cancelled' | 'skipped';
    readonly reason: Reason;
  }[];
  readonly lose?: readonly { readonly run: RunRow; readonly reason: Reason }[];
  readonly wait?: { readonly reason: Reason | null; readonly until: Date | null };
}

export interface RunStart {
  readonly host: string;
  readonly phase: RunPhase;
  readonly attempt: number;
}

/**
 * Decides what happens next to a started deployment. Pure: the same situation gives the same decision, and carrying
 * a decision out and deciding again never repeats it. Called after every event, by any controller, with the
 * deployment's row held. Queued deployments are `considerStart`'s; ended ones are left alone.
 */
export function decide(situation: Situation): Decision {
  const { deployment, runs } = situation;
  const { lose, cancel } = givenUp(situation);
  if (lose.length > 0) return { lose };
  if (cancel.length > 0) return { cancel };
  const latest = latestRuns(runs);
  switch (deployment.status) {
    case 'running':
      return forward(situation, latest);
    case 'rolling_back':
      return backward(situation, latest);
    case 'paused':
      return pausedUntilContinued(situation, latest);
    case 'queued':
    case 'succeeded':
    case 'unchanged':
    case 'failed':
    case 'rolled_back':
    case 'rollback_failed':
    case 'cancelled':
    case 'superseded':
      return {};
  }
}
