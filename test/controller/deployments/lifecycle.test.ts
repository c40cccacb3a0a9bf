import { expect } from 'chai';
import {
  ACTIVE_STATUSES,
  DEPLOYMENT_MOVES,
  DEPLOYMENT_STATUSES,
  RUN_MOVES,
  RUN_STATUSES,
  deploymentHasEnded,
  mayMoveDeployment,
  mayMoveRun,
  runHasEnded,
} from '../../../controller/deployments/lifecycle.js';

describe('the lifecycle', () => {
  it('has the words of the contract and no others', () => {
    expect(DEPLOYMENT_STATUSES.filter((status) => !deploymentHasEnded(status))).to.deep.equal([
      'queued',
      ...ACTIVE_STATUSES,
    ]);
    expect(DEPLOYMENT_STATUSES.filter(deploymentHasEnded).join(' ')).to.equal(
      'succeeded unchanged failed rolled_back rollback_failed cancelled superseded',
    );
    expect(RUN_STATUSES.filter(runHasEnded).join(' ')).to.equal(
      'succeeded failed cancelled interrupted lost skipped',
    );
  });

  it('never moves what has ended, and never stays as a move', () => {
    for (const from of DEPLOYMENT_STATUSES) {
      for (const to of DEPLOYMENT_STATUSES) {
        expect(mayMoveDeployment(from, to), `${from} to ${to}`).to.equal(
          (DEPLOYMENT_MOVES[from] as readonly string[]).includes(to),
        );
        if (from === to || deploymentHasEnded(from)) expect(mayMoveDeployment(from, to)).to.equal(false);
      }
    }
    for (const from of RUN_STATUSES) {
      for (const to of RUN_STATUSES) {
        expect(mayMoveRun(from, to), `${from} to ${to}`).to.equal(
          (RUN_MOVES[from] as readonly string[]).includes(to),
        );
        if (from === to || runHasEnded(from)) expect(mayMoveRun(from, to)).to.equal(false);
      }
    }
  });

  it('lets every status be reached from the first and reach an end', () => {
    const reach = (
      moves: Readonly<Record<string, readonly string[]>>,
      from: string,
      seen = new Set<string>(),
    ): Set<string> => {
      if (!seen.has(from)) for (const to of moves[from] ?? []) reach(moves, to, seen.add(from));
      return seen.add(from);
    };
    expect([...reach(DEPLOYMENT_MOVES, 'queued')].sort()).to.deep.equal([...DEPLOYMENT_STATUSES].sort());
    expect([...reach(RUN_MOVES, 'pending')].sort()).to.deep.equal([...RUN_STATUSES].sort());
  });
});
