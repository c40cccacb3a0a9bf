import { linesOf, unreadable, type ReadStatus, type Told, type Unreadable } from './told.js';
import { hasNoWayDown } from './ways-down.js';

/**
 * `alembic current` (empty, or one `revision` or `revision (head)`) and `alembic history --verbose`, whose blocks begin with
 * Rev, Parent and Path. One line of revisions from base to one head; anything branched is refused: which of several ways
 * would be gone is not for us to guess.
 */
export const readAlembic: ReadStatus = async ([current = '', history = ''], { read }) => {
  const chain = chainIn(history);
  if ('unreadable' in chain) return chain;
  const revision = revisionIn(current);
  if (typeof revision !== 'string') return revision;
  const ids = chain.revisions.map(({ id }) => id);
  const at = ids.indexOf(revision);
  if (revision !== '' && at < 0) return unreadable(`the current revision ${revision} is not in its history`);
  const irreversible: string[] = [];
  for (const { id, path } of chain.revisions.slice(at + 1)) {
    const text = await read(path);
    if (text === null) return unreadable(`the file of the pending ${id} cannot be read: ${path}`);
    if (hasNoWayDown('alembic', text)) irreversible.push(id);
  }
  return { revision, applied: ids.slice(0, at + 1), pending: ids.slice(at + 1), irreversible } satisfies Told;
};

function revisionIn(current: string): string | Unreadable {
  const [line = '', ...others] = linesOf(current).filter((one) => one !== '');
  if (others.length > 0) return unreadable('it prints more than one current revision, or something else');
  const revision = /^(\w+)(?: \(head\))?$/.exec(line)?.[1];
  if (line !== '' && revision === undefined) return unreadable(`"${line.slice(0, 100)}" is no revision`);
  return revision ?? '';
}

interface Revision {
  readonly id: string;
  /** Empty: it is the first. */
  readonly parent: string;
  readonly path: string;
}

/** From the oldest to the newest; each one's parent is the one before it. */
function chainIn(history: string): { readonly revisions: readonly Revision[] } | Unreadable {
  const blocks = blocksIn(history);
  if (blocks === null) return unreadable('its history is not made of blocks with Rev, Parent and Path');
  const revisions = blocks.toReversed();
  const broken = revisions.find(({ parent }, at) => parent !== (revisions[at - 1]?.id ?? ''));
  if (broken === undefined) return { revisions };
  return unreadable(
    `its history is not one line: ${broken.id} does not follow on the one before it (merge the branches)`,
  );
}

/** Newest first, as printed; null when something is not as it must be. */
function blocksIn(history: string): readonly Revision[] | null {
  const heads = linesOf(history).filter((line) => line !== '' && !/^\s/.test(line));
  const blocks: Revision[] = [];
  for (let at = 0; at < heads.length; at += 3) {
    const id = /^Rev: (\w+)(?: \(head\))?$/.exec(heads[at] ?? '')?.[1];
    const parent = /^Parent: (<base>|\w+)$/.exec(heads[at + 1] ?? '')?.[1];
    const path = /^Path: (.+)$/.exec(heads[at + 2] ?? '')?.[1];
    if (id === undefined || parent === undefined || path === undefined) return null;
    blocks.push({ id, parent: parent === '<base>' ? '' : parent, path });
  }
  return blocks;
}
