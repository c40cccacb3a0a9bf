import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import { lastLine, saidBy, saysDiskFull } from './ends.js';
import { gitRead, gitScript, gitWrite, isOk, outputOf, refuseAddress } from './git.js';
import type { GitUse, RunGit } from './git.js';
import { refusedByHost } from './git-access.js';
import type { GitAccess } from './git-access.js';
import { bringContents, isPartial, makePartial } from './partial-mirror.js';
import { quoteWord } from './policy-rules.js';
import { isCommit, isFolder } from './release-layout.js';
import type { CommandEnd, StepCommand } from './step.js';

/** A commit wanted in a mirror. */
export interface Wanted {
  readonly mirror: string;
  readonly repository: string;
  readonly commit: string;
  /** The branch or tag it was seen on; may be empty. */
  readonly ref: string;
  readonly access: GitAccess;
  /** `blob:none`: a new mirror is made a partial one. One that is there stays what it is. */
  readonly filter?: string;
}

/** Where everything is fetched from and to. */
type Place = Pick<Wanted, 'mirror' | 'repository' | 'access' | 'filter'>;

/** `again`: a later try may work. `end`: the command that was stopped or lost, which says how the step ends. */
export type Brought =
  | { readonly is: 'there' }
  | { readonly is: 'refused'; readonly reason: Reason; readonly again: boolean }
  | { readonly is: 'broken_off'; readonly end: CommandEnd };

/** Everything there is: branches and tags, as the repository has them now. */
const EVERYTHING = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/** Keeps the commit from being collected, whatever becomes of its branch. */
function pin(commit: string): string {
  return `refs/fraisier/${commit}`;
}

/**
 * Brings exactly this commit into the mirror, made if need be: from what is there, without the network; by its own name;
 * or, from a host that does not serve bare commits, by all branches and tags and the ref it was seen on.
 */
export async function bringCommit(git: RunGit, wanted: Wanted): Promise<Brought> {
  const refused = refuse(wanted);
  if (refused !== null) return { is: 'refused', reason: refused, again: false };
  if (!(await isMade(wanted.mirror))) {
    const ready = await makeMirror(git, wanted);
    if (!isOk(ready)) return notMade(ready);
  }
  const brought = await bringIt(git, wanted);
  return brought.is === 'there' ? withContents(git, wanted) : brought;
}

async function bringIt(git: RunGit, wanted: Wanted): Promise<Brought> {
  const exact = await git(await bringExactly(wanted));
  if (exact.ended !== 'exited') return { is: 'broken_off', end: exact };
  if (exact.exitCode === 0) return { is: 'there' };
  if (saysDiskFull(saidBy(exact))) return notFetched(wanted, saidBy(exact));
  return byEverything(git, wanted);
}

/** Pinned if the mirror has it, else fetched by its own name: one command, for which the mirror is locked once. */
async function bringExactly(wanted: Wanted): Promise<StepCommand> {
  const { mirror, commit, access } = wanted;
  const fetch = await fetchArguments(wanted, [`+${commit}:${pin(commit)}`]);
  const asked = (await askedFor(mirror, commit)).map(quoteWord).join(' ');
  return gitScript(bringScript(asked), mirror, [pin(commit), commit, ...fetch], { access });
}

const bringScript = (asked: string): string => `pin=$1 commit=$2
shift 2
if run -c protocol.allow=never ${asked} >/dev/null 2>&1
then run update-ref "$pin" "$commit"
else run "$@"
fi`;

function refuse({ repository, commit }: Wanted): Reason | null {
  if (!isCommit(commit)) return reason('commit_not_found', `"${commit}" is not a full commit`);
  return refuseAddress(repository);
}

/** The last that `git init` makes; what a power cut took from a mirror, `bringEverything` mends. */
function isMade(mirror: string): Promise<boolean> {
  return isFolder(join(mirror, 'objects', 'pack'));
}

/** An empty bare repository; nothing happens to one that is there, but that a partial one learns the address again. */
async function makeMirror(git: RunGit, { mirror, repository, filter = '' }: Place): Promise<CommandEnd> {
  await mkdir(dirname(mirror), { recursive: true, mode: 0o700 });
  const isNew = !(await isMade(mirror));
  const ready = await git(gitWrite(mirror, ['init', '--quiet', '--bare']));
  if (!isOk(ready) || !isNew || filter === '') return ready;
  return git(makePartial(mirror, repository, filter));
}

/** Of a partial mirror, everything that the tree of the commit holds: what is done with it later needs no network. */
async function withContents(git: RunGit, wanted: Wanted): Promise<Brought> {
  const { mirror, commit, access } = wanted;
  if (!(await isPartial(mirror))) return { is: 'there' };
  const end = await git(bringContents(mirror, commit, access));
  if (end.ended !== 'exited') return { is: 'broken_off', end };
  return end.exitCode === 0 ? { is: 'there' } : notFetched(wanted, saidBy(end));
}

function notMade(end: CommandEnd): Brought {
  return end.ended === 'exited'
    ? notFetchedFrom('the mirror could not be made', saidBy(end))
    : { is: 'broken_off', end };
}

/** Whether the mirror holds the whole commit; asks no network. */
export async function hasCommit(git: RunGit, mirror: string, commit: string): Promise<boolean> {
  return isOk(await git(gitRead(mirror, await askedFor(mirror, commit), { offline: true })));
}

/** A partial mirror would go for a commit it lacks, unless it is told that some may be missing. */
async function askedFor(mirror: string, commit: string): Promise<readonly string[]> {
  return (await isPartial(mirror))
    ? ['rev-list', '--quiet', '--no-walk', '--missing=print', `${commit}^{commit}`]
    : ['rev-parse', '--quiet', '--verify', `${commit}^{commit}`];
}

async function pinned(git: RunGit, { mirror, commit }: Wanted): Promise<Brought> {
  const end = await git(gitWrite(mirror, ['update-ref', pin(commit), commit]));
  return isOk(end) ? { is: 'there' } : notMade(end);
}

async function fetchOf(place: Place, refspecs: readonly string[], prune = false): Promise<StepCommand> {
  const { mirror, access } = place;
  return gitWrite(mirror, await fetchArguments(place, refspecs, prune), { access });
}

/** A partial mirror has the repository as its `origin`, which is what keeps it partial. */
async function fetchArguments(
  { mirror, repository }: Place,
  refspecs: readonly string[],
  prune = false,
): Promise<readonly string[]> {
  const quietly = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc'];
  const from = (await isPartial(mirror)) ? 'origin' : repository;
  return ['fetch', ...quietly, ...(prune ? ['--prune'] : []), '--', from, ...refspecs];
}

async function byEverything(git: RunGit, wanted: Wanted): Promise<Brought> {
  const everything = await bringEverything(git, wanted);
  if (everything.is !== 'there') return everything;
  if (await hasCommit(git, wanted.mirror, wanted.commit)) return pinned(git, wanted);
  if (/^refs\/(?!heads\/|tags\/)[A-Za-z0-9._/-]+$/.test(wanted.ref)) return byRef(git, wanted);
  return { is: 'refused', reason: notFound(wanted), again: false };
}

/** All branches and tags as they are now, into a mirror made if need be. */
export async function bringEverything(git: RunGit, place: Place): Promise<Brought> {
  const ready = await makeMirror(git, place);
  return isOk(ready) ? fetchEverything(git, place) : notMade(ready);
}

async function fetchEverything(git: RunGit, place: Place): Promise<Brought> {
  // Pruned first, or a new branch `a/b` cannot come where a deleted `a` was.
  const end = await git(await fetchOf(place, EVERYTHING, true));
  if (end.ended !== 'exited') return { is: 'broken_off', end };
  return end.exitCode === 0 ? { is: 'there' } : notFetched(place, saidBy(end));
}

/** A ref of another kind, such as that of a merge request. */
async function byRef(git: RunGit, wanted: Wanted): Promise<Brought> {
  const end = await git(await fetchOf(wanted, [`+${wanted.ref}:refs/fraisier/seen/${wanted.commit}`]));
  if (end.ended !== 'exited') return { is: 'broken_off', end };
  if (await hasCommit(git, wanted.mirror, wanted.commit)) return pinned(git, wanted);
  return { is: 'refused', reason: notFound(wanted), again: false };
}

function notFound({ commit, repository, ref }: Wanted): Reason {
  const seen = ref === '' ? '' : ` (it was seen on ${ref})`;
  return reason(
    'commit_not_found',
    `the commit ${commit} is on no branch or tag of ${repository}${seen}; was the branch force-pushed or deleted?`,
    { hint: 'deploy a commit that is there', facts: { commit, repository, ref } },
  );
}

function notFetched({ repository, access }: Place, output: string): Brought {
  const refused = saysDiskFull(output) ? null : refusedByHost(repository, output, access);
  if (refused !== null) return { is: 'refused', reason: refused, again: false };
  return notFetchedFrom(`git could not fetch from ${repository}`, output);
}

function notFetchedFrom(what: string, output: string): Brought {
  if (saysDiskFull(output)) {
    const full = reason('disk_full', `${what}: the disk is full`, {
      hint: 'free space on this host, then retry',
    });
    return { is: 'refused', reason: full, again: false };
  }
  const said = saidByGit(output);
  const hint = 'check on the host that this user can reach the repository: git ls-remote';
  return {
    is: 'refused',
    reason: reason('fetch_failed', `${what}: ${said}`, { hint, facts: { output: said } }),
    again: true,
  };
}

/** Git's own reason is on its `fatal:` or `error:` lines, before general advice. */
export function saidByGit(output: string): string {
  const telling = output
    .split('\n')
    .filter((line) => /^(?:fatal|error|remote|ssh|Host key|Permission denied)\b/.test(line));
  return lastLine(telling.find((line) => line.startsWith('fatal')) ?? output) || 'it did not say why';
}

/** Somewhat below what git itself finds worth while: its own look costs more than the rest of a tidy mirror's prune. */
const UNTIDY = { packs: 40, looseOf256: 20 };

/** Rewrites the mirror when git finds that worth while; it is not asked while there is little to rewrite. */
export async function tidyMirror(git: RunGit, mirror: string): Promise<void> {
  const namesIn = (folder: string) => readdir(join(mirror, 'objects', folder)).catch(() => []);
  const packs = (await namesIn('pack')).filter((name) => name.endsWith('.pack'));
  if (packs.length < UNTIDY.packs && (await namesIn('17')).length < UNTIDY.looseOf256) return;
  await git(gitWrite(mirror, ['gc', '--auto', '--quiet']));
}

/** What git printed, without the last line end; null when it failed. */
export async function ask(
  git: RunGit,
  mirror: string,
  args: readonly string[],
  use: GitUse = {},
): Promise<string | null> {
  const end = await git(gitRead(mirror, args, use));
  return isOk(end) ? outputOf(end).trimEnd() : null;
}
