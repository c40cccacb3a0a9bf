import { join } from 'node:path';
import { reason } from '../../proto/error-codes.js';
import type { Policy } from '../policy.js';
import type { RunGit } from './git.js';
import { mirrorFolder } from './git.js';
import { accessTo } from './git-access.js';
import { ask, bringCommit } from './mirror.js';
import type { Brought } from './mirror.js';
import { mayUseRepository, policyReason } from './policy-rules.js';

/** A commit in the mirror it was brought to. */
export interface AtCommit {
  readonly repository: string;
  readonly mirror: string;
  readonly commit: string;
}

/** Exactly this commit of another repository, in a folder of the tree. */
export interface Submodule extends AtCommit {
  readonly path: string;
}

/** What is needed to bring submodules to this host. */
export interface SubmodulePorts {
  readonly git: RunGit;
  readonly policy: Policy;
  readonly stateFolder: string;
  /** As of the repository itself. */
  readonly filter: string;
}

/** Within each other; more is a repository that means no good. */
const DEEPEST = 10;

/**
 * The submodules of a commit as its `.gitmodules` and its tree name them; asks no network. An entry that is no submodule
 * of the tree is left out, as git does.
 */
export async function submodulesOf(
  git: RunGit,
  of: AtCommit,
  stateFolder: string,
): Promise<readonly Submodule[]> {
  const offline = { offline: true };
  const listed = await ask(git, of.mirror, ['ls-tree', '-z', of.commit, '--', '.gitmodules'], offline);
  if (!(listed ?? '').startsWith('100')) return [];
  const keys = ['--get-regexp', '^submodule\\..*\\.(path|url)$'];
  const settings = await ask(
    git,
    of.mirror,
    ['config', '--blob', `${of.commit}:.gitmodules`, '-z', ...keys],
    offline,
  );
  const named = pathsAndAddresses(settings ?? '');
  if (named.size === 0) return [];
  const tree = await ask(
    git,
    of.mirror,
    ['--literal-pathspecs', 'ls-tree', '-z', of.commit, '--', ...named.keys()],
    offline,
  );
  return gitlinks(tree ?? '').flatMap(({ path, commit }) => {
    const address = named.get(path);
    if (address === undefined) return [];
    const repository = resolveAddress(of.repository, address);
    return [{ path, commit, repository, mirror: mirrorFolder(stateFolder, repository) }];
  });
}

/** From `submodule.NAME.path\nvalue\0…`: path to address. */
function pathsAndAddresses(output: string): ReadonlyMap<string, string> {
  const found = new Map<string, { path?: string; url?: string }>();
  for (const entry of output.split('\0')) {
    const [, name = '', key, value = ''] = /^submodule\.([^]*)\.(path|url)\n([^]*)$/.exec(entry) ?? [];
    if (key !== undefined) found.set(name, { ...found.get(name), [key]: value });
  }
  return new Map([...found.values()].flatMap(({ path, url }) => (path && url ? [[path, url] as const] : [])));
}

function gitlinks(tree: string): readonly { readonly path: string; readonly commit: string }[] {
  return tree.split('\0').flatMap((entry) => {
    const [, commit, path] = /^160000 commit ([0-9a-f]+)\t([^]+)$/.exec(entry) ?? [];
    return commit === undefined || path === undefined ? [] : [{ commit, path }];
  });
}

/** `./x` and `../x` are meant from the address of the repository that has the submodule; anything else stands for itself. */
export function resolveAddress(base: string, address: string): string {
  if (!/^\.\.?(?:\/|$)/.test(address)) return address;
  let from = base.replace(/\/+$/, '');
  let rest = address;
  while (/^\.\.?(?:\/|$)/.test(rest)) {
    if (rest.startsWith('..')) from = from.replace(/(?:\/[^/]*|(:)[^/:]*)$/, '$1');
    rest = rest.replace(/^\.\.?\/*/, '');
  }
  return from.endsWith(':') ? `${from}${rest}` : `${from}/${rest}`.replace(/\/$/, '');
}

/** Brings every submodule of the commit, and theirs, each into the mirror of its own repository. */
export async function bringSubmodules(ports: SubmodulePorts, of: AtCommit, depth = 1): Promise<Brought> {
  const submodules = await submodulesOf(ports.git, of, ports.stateFolder);
  if (submodules.length > 0 && depth > DEEPEST) return tooDeep(of);
  for (const submodule of submodules) {
    const brought = await bringOne(ports, submodule);
    const whole = brought.is === 'there' ? await bringSubmodules(ports, submodule, depth + 1) : brought;
    if (whole.is !== 'there') return whole;
  }
  return { is: 'there' };
}

async function bringOne(ports: SubmodulePorts, submodule: Submodule): Promise<Brought> {
  const { path, repository } = submodule;
  const refusal = mayUseRepository(ports.policy, repository);
  const what = `the repository of the submodule ${path}`;
  const refused = policyReason(ports.policy, refusal === null ? [] : [{ ...refusal, what }]);
  if (refused !== null) return { is: 'refused', reason: refused, again: false };
  const access = await accessTo(repository, ports);
  const brought = await bringCommit(ports.git, { ...submodule, ref: '', access, filter: ports.filter });
  if (brought.is !== 'refused') return brought;
  return {
    ...brought,
    reason: { ...brought.reason, message: `the submodule ${path}: ${brought.reason.message}` },
  };
}

function tooDeep({ repository }: AtCommit): Brought {
  const message = `${repository} has submodules more than ${DEEPEST} deep in each other`;
  return { is: 'refused', reason: reason('fetch_failed', message), again: false };
}

/** Every submodule below a tree, outer ones first, with the folder it belongs in; asks no network. */
export async function placesOfSubmodules(
  git: RunGit,
  of: AtCommit,
  tree: string,
  stateFolder: string,
): Promise<readonly (AtCommit & { readonly folder: string })[]> {
  const places: (AtCommit & { folder: string })[] = [];
  for (const submodule of await submodulesOf(git, of, stateFolder)) {
    const folder = join(tree, submodule.path);
    places.push({ ...submodule, folder }, ...(await placesOfSubmodules(git, submodule, folder, stateFolder)));
  }
  return places;
}
