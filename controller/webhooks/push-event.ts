/** What every pushed ref is told with, whichever git host sent it. */
interface Pushed {
  /** Every address the git host gives for the repository; all of them name the same one. */
  readonly repositoryUrls: readonly [string, ...string[]];
  readonly sender: string;
  /** When the push was made, by the git host's clock; null when it does not say. */
  readonly pushedAt: Date | null;
}

/** Commits were pushed to a branch. */
export interface BranchPush extends Pushed {
  readonly kind: 'push';
  readonly branch: string;
  /** Full SHA, lower case: the new head of the branch. */
  readonly commit: string;
  /** The head before; zeros when the branch is new. */
  readonly before: string;
  readonly forced: boolean;
}

/** A tag was made or moved. */
export interface TagPush extends Pushed {
  readonly kind: 'tag';
  readonly tag: string;
  /** The commit the tag stands on, also for an annotated tag. */
  readonly commit: string;
}

export interface BranchDeleted extends Pushed {
  readonly kind: 'branch_deleted';
  readonly branch: string;
}

export interface TagDeleted extends Pushed {
  readonly kind: 'tag_deleted';
  readonly tag: string;
}

/** The git host tries out the hook. */
export interface Ping {
  readonly kind: 'ping';
}

/** Anything else: it deploys nothing. */
export interface UnknownEvent {
  readonly kind: 'unknown';
  readonly event: string;
}

/** One delivery in the words that all git hosts share. */
export type PushEvent = BranchPush | TagPush | BranchDeleted | TagDeleted | Ping | UnknownEvent;

/** The events that can deploy. */
export type Deployable = BranchPush | TagPush;
