import { expect } from 'chai';
import { DEPLOYMENT_STATUSES } from '../../controller/deployments/lifecycle.js';
import { ERROR_CODES, reason } from '../../proto/error-codes.js';
import {
  EXIT_OF_ERROR,
  EXIT_OF_STATUS,
  exitCodeOfDeployment,
  exitCodeOfError,
} from '../../cli/exit-codes.js';
import { aDeployment, aFailedDeployment } from './samples.js';

describe('exit codes', () => {
  it('know every status a deployment can have, whatever was asked', () => {
    for (const asked of Object.values(EXIT_OF_STATUS))
      expect(Object.keys(asked)).to.have.members(DEPLOYMENT_STATUSES);
  });

  it('know every reason there is', () => {
    expect(Object.keys(EXIT_OF_ERROR)).to.have.members(Object.keys(ERROR_CODES));
  });

  it('answer 3 for a reason or a status that only a newer controller knows', () => {
    expect(exitCodeOfError('moon_in_the_wrong_house')).to.equal(3);
    expect(exitCodeOfDeployment(aDeployment({ status: 'dreaming' }), 'deploy')).to.equal(3);
  });

  const wanted: Record<string, readonly [deploy: number, cancel: number]> = {
    queued: [0, 0],
    running: [0, 0],
    rolling_back: [0, 0],
    succeeded: [0, 4],
    unchanged: [0, 4],
    failed: [1, 1],
    rolled_back: [1, 0],
    rollback_failed: [1, 1],
    paused: [4, 4],
    cancelled: [4, 0],
    superseded: [4, 0],
  };
  for (const [status, [deploy, cancel]] of Object.entries(wanted)) {
    it(`are ${deploy} for a deployment that is ${status}, ${cancel} when it was to be cancelled`, () => {
      expect(exitCodeOfDeployment(aDeployment({ status }), 'deploy')).to.equal(deploy);
      expect(exitCodeOfDeployment(aDeployment({ status }), 'cancel')).to.equal(cancel);
    });
  }

  const rollbacks: Record<string, number> = { succeeded: 0, failed: 1, paused: 4, cancelled: 4, queued: 0 };
  for (const [status, code] of Object.entries(rollbacks)) {
    it(`are ${code} for a rollback that is ${status}`, () =>
      expect(exitCodeOfDeployment(aDeployment({ status, kind: 'rollback' }), 'rollback')).to.equal(code));
  }

  it('are 0 for a deployment that was rolled back as asked, whether it had touched anything or not', () => {
    for (const status of ['rolled_back', 'cancelled', 'rolling_back'])
      expect(exitCodeOfDeployment(aDeployment({ status }), 'rollback')).to.equal(0);
    expect(exitCodeOfDeployment(aDeployment({ status: 'rollback_failed' }), 'rollback')).to.equal(1);
  });

  it('are 5 for a deployment that a host refused by its policy', () => {
    const refusal = reason('policy_refused', 'web-1 does not allow this path');
    expect(exitCodeOfDeployment(aDeployment({ status: 'failed', reason: refusal }), 'deploy')).to.equal(5);
    const hosts = aFailedDeployment().hosts.map((host) => ({ ...host, reason: refusal }));
    expect(exitCodeOfDeployment(aFailedDeployment({ hosts }), 'deploy')).to.equal(5);
    expect(exitCodeOfDeployment(aDeployment({ status: 'rolled_back', reason: refusal }), 'deploy')).to.equal(
      1,
    );
  });

  const kinds: Record<string, number> = {
    unknown_fraise: 2,
    usage: 2,
    controller_away: 3,
    outcome_unknown: 3,
    locked: 4,
    not_allowed: 5,
    command_failed: 1,
  };
  for (const [code, exit] of Object.entries(kinds)) {
    it(`are ${exit} for ${code}`, () => expect(exitCodeOfError(code)).to.equal(exit));
  }
});
