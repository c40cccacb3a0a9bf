/**
 * The one list of the words in records, and the only moves between them. Types, CHECK constraints (asserted by a
 * test) and the diagrams in ARCHITECTURE.md come from here.
 */

export const DEPLOYMENT_MOVES = {
  queued: ['running', 'unchanged', 'failed', 'cancelled', 'superseded'],
  running: ['paused', 'rolling_back', 'succeeded', 'unchanged', 'failed', 'cancelled'],
  paused: ['running', 'rolling_back', 'failed', 'cancelled'],
  rolling_back: ['paused', 'rolled_back', 'rollback_failed', 'failed'],
  succeeded: [],
  unchanged: [],
  failed: [],
  rolled_back: [],
  rollback_failed: [],
  cancelled: [],
  superseded: [],
} as const satisfies Record<string, readonly string[]>;

export type DeploymentStatus = keyof typeof DEPLOYMENT_MOVES;
export const DEPLOYMENT_STATUSES = Object.keys(DEPLOYMENT_MOVES) as readonly DeploymentStatus[];

/** At most one deployment of a fraise × environment is in one of these (a partial unique index says so too). */
export const ACTIVE_STATUSES = [
  'running',
  'paused',
  'rolling_back',
] as const satisfies readonly DeploymentStatus[];

export const RUN_MOVES = {
  pending: ['dispatched', 'cancelled', 'skipped'],
  dispatched: ['running', 'failed', 'cancelled', 'interrupted', 'lost'],
  running: ['succeeded', 'failed', 'cancelled', 'interrupted', 'lost'],
  succeeded: [],
  failed: [],
  cancelled: [],
  interrupted: [],
  lost: [],
  skipped: [],
} as const satisfies Record<string, readonly string[]>;

export type RunStatus = keyof typeof RUN_MOVES;
export const RUN_STATUSES = Object.keys(RUN_MOVES) as readonly RunStatus[];

export const RUN_PHASES = ['prepare', 'migrate', 'release', 'undo', 'migrate_down', 'prune'] as const;
export type RunPhase = (typeof RUN_PHASES)[number];

export const STEP_STATUSES = [
  'pending',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'interrupted',
  'skipped',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

export const DEPLOYMENT_KINDS = ['deploy', 'rollback', 'retry'] as const;
export type DeploymentKind = (typeof DEPLOYMENT_KINDS)[number];

export const TRIGGERS = ['webhook', 'cli', 'api', 'missed_push', 'schedule'] as const;
export type Trigger = (typeof TRIGGERS)[number];

export const WEBHOOK_VERDICTS = [
  'deployed',
  'ignored',
  'duplicate',
  'pong',
  'pending',
  'bad_signature',
  'unparseable',
  'too_large',
  'rate_limited',
] as const;
export type WebhookVerdict = (typeof WEBHOOK_VERDICTS)[number];

/** How a notification ended: `overtaken` by a newer one about the same, `unwanted` because nobody is to be told. */
export const NOTIFICATION_OUTCOMES = ['sent', 'overtaken', 'unwanted', 'given_up'] as const;
export type NotificationOutcome = (typeof NOTIFICATION_OUTCOMES)[number];

/** Whether a deployment in this status is over for good: nothing that is reported later rewrites it. */
export function deploymentHasEnded(status: DeploymentStatus): boolean {
  return DEPLOYMENT_MOVES[status].length === 0;
}

/** Whether a run in this status is over for good. */
export function runHasEnded(status: RunStatus): boolean {
  return RUN_MOVES[status].length === 0;
}

/** Whether the transition table has this move; staying where one is is no move. */
export function mayMoveDeployment(from: DeploymentStatus, to: DeploymentStatus): boolean {
  return (DEPLOYMENT_MOVES[from] as readonly DeploymentStatus[]).includes(to);
}

/** Whether the transition table has this move; staying where one is is no move. */
export function mayMoveRun(from: RunStatus, to: RunStatus): boolean {
  return (RUN_MOVES[from] as readonly RunStatus[]).includes(to);
}
