import { expect } from 'chai';
import {
  chooseRollbackTarget,
  type Choice,
  type Target,
} from '../../../controller/deployments/choose-rollback-target.js';
import { goodReleases } from '../../../controller/deployments/good-releases.js';
import type { DeploymentRow } from '../../../controller/deployments/ledger/deployment.js';
import { FraisierError } from '../../../proto/error-codes.js';
import { Inspection } from '../../../proto/gen/fraisier/v1/agent.js';
import { aDeployment, at } from '../../support/builders.js';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(40)) as [
  string,
  string,
  string,
  string,
];

describe('the good releases of the record', () => {
  it('are those that were live and good, in their order, each once', () => {
    expect(good(went(A), went(B), went(B), failed(C), went(D))).to.deep.equal([A, B, D]);
    expect(good(went(A), went(B), went(A))).to.deep.equal([A, B, A]);
  });

  it('end where a rollback went back to', () => {
    expect(good(went(A), went(B), went(C), back(A))).to.deep.equal([A]);
    expect(good(went(A), went(B), back(A), went(C))).to.deep.equal([A, C]);
    expect(good(went(B), went(C), back(A)), 'to one before the record').to.deep.equal([B, C, A]);
  });

  it('are not those that only some hosts had', () => {
    expect(good(went(A), { ...went(B), onlyHosts: ['web-1'] })).to.deep.equal([A]);
  });

  it('are without what a rollback went back from, also where a host did not answer it', () => {
    const some = { ...back(A), onlyHosts: ['web-1'] };
    expect(good(went(A), went(B), some, went(C))).to.deep.equal([A, C]);
    expect(chosen([went(A), went(B), some], [A, B]), 'on to where it was going').to.equal(A);
  });
});

describe('choosing what to go back to', () => {
  it('is the last good one before what is live', () => {
    expect(chosen([went(A), went(B), went(C)], [C, C])).to.equal(B);
    expect(chosen([went(A), went(B), failed(C), failed(D)], [B, B])).to.equal(A);
  });

  it('is the last good one itself where a host has something else', () => {
    expect(chosen([went(A), went(B), failed(C)], [B, C])).to.equal(B);
  });

  it('goes back further each time, and never to what was rolled back from', () => {
    expect(chosen([went(A), went(B), went(C), back(B)], [B, B])).to.equal(A);
  });

  it('is where a rollback was going that did not get everywhere, and no longer once it is given up', () => {
    const stopped: DeploymentRow = { ...back(A), status: 'failed' };
    expect(chosen([went(A), went(B), stopped], [A, B])).to.equal(A);
    expect(chosen([went(A), went(B), stopped], [B, B])).to.equal(A);
    expect(chosen([went(A), went(B), went(C), { ...back(A), status: 'failed' }], [C, C])).to.equal(B);
    expect(chosen([went(B), { ...back(A), status: 'failed' }], [A, B]), 'unknown to the record').to.equal(B);
  });

  it('counts what was applied from the rollback that made it live last', () => {
    const again = back(A);
    expect(goodReleases([went(C), again, went(B), went(A)])[0]?.kind).to.equal('rollback');
  });

  it('is refused when there is none, naming what is live', () => {
    expect(refusal([went(A)], [A, A])).to.match(
      /no good release before the one that is live \(aaaaaaaaaaaa\)/,
    );
    expect(refusal([failed(A)], ['', ''])).to.match(/live \(nothing\)/);
  });

  it('is what every host keeps and proved good, where the record has lost its past', () => {
    const hosts = [
      host(C, [kept(A, 1), kept(B, 5), kept(C, 9)]),
      host(C, [kept(A, 1), kept(B, 5, false), kept(C, 9)]),
    ];
    expect(choose({ ended: [], hosts }).commit).to.equal(A);
    expect(choose({ ended: [], hosts }).deployment).to.equal(null);
    expect(choose({ ended: [], hosts, to: A.slice(0, 7) }).commit).to.equal(A);
    const never = [host(C, [{ commit: A, provenGood: true }])];
    expect(() => choose({ ended: [], hosts: never })).to.throw('no good release');
    expect(() => choose({ ended: [], hosts: [] })).to.throw('no good release');
  });

  it('is the release or the deployment that is named', () => {
    const record = [went(A), went(B), went(C)];
    expect(chosen(record, [C, C], A)).to.equal(A);
    expect(chosen(record, [C, C], B.slice(0, 8))).to.equal(B);
    expect(chosen(record, [C, C], record[0]?.id)).to.equal(A);
  });

  it('is never one that failed, is live, was rolled back from, or is nothing at all', () => {
    const record = [went(A), went(B), failed(D), went(C)];
    expect(refusal(record, [C, C], record[2]?.id)).to.match(/ended failed: only what was live and good/);
    expect(refusal(record, [C, C], D)).to.match(/ended failed/);
    expect(refusal(record, [C, C], C)).to.match(/live already/);
    expect(refusal(record, [C, C], record[3]?.id)).to.match(/live already/);
    expect(refusal(record, [C, C], 'd_unknown')).to.match(/d_unknown is no ended deployment/);
    expect(refusal(record, [C, C], 'v1.2')).to.match(/"v1.2" is neither a commit nor a deployment/);
    expect(refusal(record, [C, C], 'e'.repeat(8))).to.match(/no good release begins with eeeeeeee/);
    const gone = [went(A), went(B), back(A)];
    expect(refusal(gone, [A, A], B)).to.match(/was rolled back from: to have it again is to deploy it/);
  });
});

let deployments = 0;

function ended(commit: string, more: Partial<DeploymentRow>): DeploymentRow {
  deployments += 1;
  return aDeployment({ id: `d_${deployments}`, commit, finishedAt: at(deployments), ...more });
}

function went(commit: string): DeploymentRow {
  return ended(commit, { status: 'succeeded' });
}

function failed(commit: string): DeploymentRow {
  return ended(commit, { status: 'failed' });
}

function back(commit: string): DeploymentRow {
  return ended(commit, { status: deployments % 2 === 0 ? 'succeeded' : 'rolled_back', kind: 'rollback' });
}

function good(...record: DeploymentRow[]): string[] {
  return goodReleases(record.toReversed()).map(({ commit }) => commit);
}

function kept(commit: string, second: number, provenGood = true) {
  return { commit, provenGood, activatedAt: at(second), stagedAt: at(second) };
}

function host(
  release: string,
  keeps: NonNullable<Parameters<typeof Inspection.fromPartial>[0]['kept']>,
): Choice['hosts'][number] {
  return { host: 'web', inspection: Inspection.fromPartial({ release, kept: keeps }) };
}

function choose(more: Partial<Choice>): Target {
  return chooseRollbackTarget({
    fraise: 'checkout',
    environment: 'production',
    to: '',
    ended: [],
    hosts: [],
    ...more,
  });
}

function chosen(record: readonly DeploymentRow[], live: readonly string[], to = ''): string {
  return choose({ ended: record.toReversed(), hosts: live.map((release) => host(release, [])), to }).commit;
}

function refusal(record: readonly DeploymentRow[], live: readonly string[], to = ''): string {
  try {
    chosen(record, live, to);
  } catch (error) {
    if (error instanceof FraisierError && error.reason.code === 'no_rollback_target') return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}
