/** How far a deployment of a commit is, in words that every git host has an equal of. */
export type StatusState = 'queued' | 'running' | 'success' | 'failure' | 'cancelled';

/** What a git host is told of one commit. */
export interface CommitStatus {
  readonly state: StatusState;
  /** Tells it from the statuses of others: the same context again replaces what was said before. */
  readonly context: string;
  readonly description: string;
  /** Where to read more; null when there is no such place. */
  readonly link: string | null;
}

/** Where the commit is. */
export interface CommitPlace {
  /** Of the git host, without a slash at its end. */
  readonly baseUrl: string;
  /** Path of the repository at that host, as in `acme/checkout`. */
  readonly repository: string;
  readonly commit: string;
}

/** A POST with a JSON body. The headers hold the token: never to be logged. */
export interface StatusRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A refusal that reads like this says that the host knows already. */
  readonly knownAlready: RegExp | null;
}

/** One file a git host: everything that is different about it. */
export interface StatusHost {
  /** Address of its API, without a slash at its end. */
  readonly apiOf: (baseUrl: string) => string;
  readonly requestOf: (place: CommitPlace, status: CommitStatus, token: string) => StatusRequest;
}

/** Path segments as they stand in an address. */
export function segments(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** At most `limit` characters; what is cut ends in three dots. */
export function cut(text: string, limit: number): string {
  const characters = Array.from(text);
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join('')}…`;
}
