import { expect } from 'chai';
import fc from 'fast-check';
import { AFleet, type FleetOf } from './a-fleet.js';

const count = fc.oneof(
  fc.nat(2),
  fc.nat(60).map((percent) => `${percent}%` as const),
);

const fleet: fc.Arbitrary<FleetOf> = fc.record({
  hosts: fc.integer({ min: 1, max: 6 }),
  beside: fc.constantFrom(0, 0, 1, 2),
  migrates: fc.boolean(),
  kind: fc.constantFrom('deploy', 'deploy', 'deploy', 'rollback'),
  healthy: fc.array(fc.boolean(), { maxLength: 3 }),
  chances: fc.array(fc.nat(9_999), { maxLength: 500, size: 'max' }),
  rollout: fc.record({
    strategy: fc.constantFrom('rolling', 'rolling', 'all_at_once'),
    batch: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
    canary: fc.nat(2),
    bakeMs: fc.constantFrom(0, 20_000),
    progressMs: fc.constantFrom(0, 0, 120_000),
    maxFailures: count,
    minHealthy: count,
    onFailure: fc.constantFrom('rollback', 'pause', 'stop'),
  }),
});

/**
 * Over random fleets, failures, cuts, clocks and controllers that die: no release begins once more hosts have failed than may, or
 * where it would leave fewer healthy ones than are to stay so; the database is migrated once unless somebody said to do it again;
 * it ends; and the same situation gives the same decision.
 */
describe('decide, whatever happens', function () {
  this.timeout(20_000);

  it('keeps its promises to the end', () => {
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(fleet, (of) => {
        const story = new AFleet(of);
        story.live();
        ends.set(story.deployment.status, (ends.get(story.deployment.status) ?? 0) + 1);
        expect(story.faults).to.deep.equal([]);
      }),
      { numRuns: 600, interruptAfterTimeLimit: 3000 },
    );
    // Stories that all end in one way would prove little.
    expect([...ends.keys()]).to.include.members(['succeeded', 'failed']);
  });
});
