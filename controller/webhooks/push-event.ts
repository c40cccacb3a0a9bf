/** What every event of a repository is told with, whichever git host sent it. */
export interface Pushed {
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
  /** Null where the git host does not say (GitLab, Gitea, Bitbucket Data Center, a missed push). */
  readonly forced: boolean | null;
  /** The message of the new head; null where the git host does not send it. */
  readonly headMessage: string | null;
  /** Every path that the pushed commits touched; null where the delivery does not name them all. */
  readonly changedPaths: readonly string[] | null;
}

/** A tag was made or moved. */
export interface TagPush extends Pushed {
  readonly kind: 'tag';
  readonly tag: string;
  /** The commit the tag stands on, also for an annotated tag, where the git host says it. */
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

/** Something happened to a pull or merge request; the push of its merge is told by itself. */
export interface PullRequest extends Pushed {
  readonly kind: 'pull_request';
  /** Its number within the repository; null when the delivery does not say. */
  readonly number: number | null;
  /** The git host's own word, such as `opened`; empty when the delivery does not say. */
  readonly action: string;
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

/** One event in the words that all git hosts share. */
export type PushEvent = BranchPush | TagPush | BranchDeleted | TagDeleted | PullRequest | Ping | UnknownEvent;

/** What one delivery tells: one event, or one for each ref that a push changed. All of one repository. */
export type PushEvents = readonly [PushEvent, ...PushEvent[]];

/** The events that can deploy. */
export type Deployable = BranchPush | TagPush;
