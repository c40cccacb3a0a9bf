import { expect } from 'chai';
import { isPush, orderOf } from '../../../controller/webhooks/order-pushes.js';
import type { BranchPush, TagPush } from '../../../controller/webhooks/push-event.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { aDeployment } from '../../support/builders.js';
import { commit } from './support.js';

const AT = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 12, 0, second));

const push = (more: Partial<BranchPush> = {}): BranchPush => ({
  kind: 'push',
  branch: 'main',
  commit: commit('b'),
  before: commit('9'),
  forced: false,
  headMessage: null,
  changedPaths: [],
  repositoryUrls: ['https://github.com/acme/shop'],
  sender: 'ana',
  pushedAt: AT(10),
  ...more,
});

const other = (more: Partial<DeploymentRow> = {}): DeploymentRow =>
  aDeployment({ trigger: 'webhook', ref: 'main', commit: commit('c'), pushedAt: AT(10), ...more });

describe('the order of two pushes', () => {
  it('is that of the clock of the git host, when it tells different seconds', () => {
    expect(orderOf(push({ pushedAt: AT(11) }), other())).to.deep.equal({ is: 'newer' });
    expect(orderOf(push({ pushedAt: AT(9) }), other())).to.deep.equal({ is: 'older' });
    const tag: TagPush = { ...push({ pushedAt: AT(9) }), kind: 'tag', tag: 'v1' };
    expect(orderOf(tag, other())).to.deep.equal({ is: 'older' });
  });

  it('is certain for the push that began where the other one ended', () => {
    expect(orderOf(push({ before: commit('c') }), other())).to.deep.equal({ is: 'newer' });
  });

  it('is the repository’s to say on one branch, where the clock does not tell', () => {
    const question = { before: commit('9'), commit: commit('b'), other: commit('c') };
    for (const [event, than] of [
      [push(), other()],
      [push({ pushedAt: null, forced: null }), other({ pushedAt: AT(50) })],
      [push({ pushedAt: AT(9) }), other({ trigger: 'missed_push' })],
    ] as const)
      expect(orderOf(event, than)).to.deep.equal({ is: 'must_ask_repository', question });
  });

  it('is that of receipt where a push may go back on purpose, or has nothing in common with the other', () => {
    const tag: TagPush = { ...push(), kind: 'tag', tag: 'main' };
    for (const event of [
      push({ forced: true }),
      push({ before: '0'.repeat(40) }),
      push({ branch: 'other' }),
      push({ commit: commit('c') }),
      tag,
    ])
      expect(orderOf(event, other())).to.deep.equal({ is: 'as_received' });
  });

  it('counts pushes of a whole environment only', () => {
    expect(isPush(other())).to.equal(true);
    expect(isPush(other({ trigger: 'missed_push' }))).to.equal(true);
    for (const more of [
      { trigger: 'cli' },
      { kind: 'rollback' },
      { onlyHosts: ['web-1'] },
      { force: true },
    ] as const)
      expect(isPush(other(more))).to.equal(false);
  });
});
