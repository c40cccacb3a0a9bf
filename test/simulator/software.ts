import type { Random } from './random.js';

/** One fraise in one environment. */
export interface Pair {
  readonly fraise: string;
  readonly environment: string;
}

/** How commands behave, whatever they are. */
export interface Habits {
  /** Fails for no reason of the commit. */
  readonly flaky: number;
  /** Never ends by itself. */
  readonly hangs: number;
  /** Ends on SIGKILL only. */
  readonly deaf: number;
}

/** Everything that is deployed in one seed: its commits and the databases it keeps. */
export interface Software {
  readonly habits: Habits;
  readonly repositories: readonly Repository[];
  commit(fraise: string, sha: string): Commit | null;
  database(pair: Pair): ApplicationDatabase;
}

/** What one commit is like when it meets a host. */
export interface Commit {
  readonly sha: string;
  /** Every migration that its tree holds, oldest first. */
  readonly migrations: readonly string[];
  readonly irreversible: readonly string[];
  readonly installs: boolean;
  readonly healthy: boolean;
  /** Of its new migrations this one breaks off; null: none. */
  readonly brokenMigration: string | null;
  readonly downWorks: boolean;
}

/** How often a new commit is broken in each way. */
export interface Quality {
  readonly badInstall: number;
  readonly unhealthy: number;
  readonly migrates: number;
  readonly badMigration: number;
  readonly irreversible: number;
  readonly badDown: number;
}

/** The repository of one fraise: commits come one after the other, each with the migrations of all before it that work. */
export class Repository {
  readonly name: string;
  readonly #random: Random;
  readonly #quality: Quality;
  readonly #commits = new Map<string, Commit>();
  #head: Commit | null = null;

  constructor(name: string, random: Random, quality: Quality) {
    this.name = name;
    this.#random = random;
    this.#quality = quality;
  }

  get head(): Commit {
    return this.#head ?? this.commit();
  }

  /** Oldest first; never empty. */
  get all(): readonly Commit[] {
    return [...new Set([...this.#commits.values(), this.head])];
  }

  /** Null: no such commit. */
  find(sha: string): Commit | null {
    return this.#commits.get(sha) ?? null;
  }

  commit(): Commit {
    const before = this.#head;
    const number = this.#commits.size + 1;
    const quality = this.#quality;
    const random = this.#random;
    const added = random.chance(quality.migrates)
      ? Array.from({ length: random.whole(1, 3) }, (_, at) => `${this.name}-${number}-${at + 1}`)
      : [];
    const kept = before === null ? [] : before.migrations.filter((id) => id !== before.brokenMigration);
    const made: Commit = {
      sha: shaOf(this.name, number),
      migrations: [...kept, ...added],
      irreversible: [
        ...(before?.irreversible ?? []),
        ...added.filter(() => random.chance(quality.irreversible)),
      ],
      installs: !random.chance(quality.badInstall),
      healthy: !random.chance(quality.unhealthy),
      brokenMigration: added.length > 0 && random.chance(quality.badMigration) ? random.pick(added) : null,
      downWorks: !random.chance(quality.badDown),
    };
    this.#commits.set(made.sha, made);
    this.#head = made;
    return made;
  }
}

/** Told apart at a glance: the letters of the fraise, then the number. */
function shaOf(name: string, number: number): string {
  const letters = Buffer.from(name).toString('hex').slice(0, 4);
  return `${letters}${String(number).padStart(4, '0')}`.padEnd(40, '0');
}

/** The database of one fraise in one environment: what is applied, oldest first. */
export class ApplicationDatabase {
  applied: readonly string[] = [];

  /** As `tool: command` prints it. */
  status({ migrations, irreversible }: Commit): string {
    const pending = migrations.filter((id) => !this.applied.includes(id));
    const revision = this.applied.at(-1) ?? null;
    return JSON.stringify({
      revision,
      pending,
      irreversible: pending.filter((id) => irreversible.includes(id)),
    });
  }

  /** Applies up to so many of what is pending, in order; false when it came to one that does not work. */
  up({ migrations, brokenMigration }: Commit, most: number): boolean {
    const pending = migrations.filter((id) => !this.applied.includes(id)).slice(0, most);
    const broken = pending.indexOf(brokenMigration ?? '');
    this.applied = [...this.applied, ...(broken < 0 ? pending : pending.slice(0, broken))];
    return broken < 0;
  }

  /** Undoes these, newest first, up to so many. */
  down(ids: readonly string[], most: number): void {
    const undone = ids.slice(0, most);
    this.applied = this.applied.filter((id) => !undone.includes(id));
  }
}
