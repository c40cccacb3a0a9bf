import { expect } from 'chai';
import { addToPolicy } from '../../../agent/add-to-policy.js';
import { loadPolicy } from '../../../agent/policy.js';
import { serialKeys } from '../../../agent/serial-keys.js';
import { checkPolicy } from '../../../agent/steps/check-policy.js';
import { mayInstallUnit } from '../../../agent/steps/policy-rules.js';
import { Assignment } from '../../../proto/gen/fraisier/v1/agent.js';
import { Job, Step } from '../../../proto/gen/fraisier/v1/plan.js';
import { join } from 'node:path';
import { withFolder } from '../exec/a-spec.js';
import { aPolicy, aTarget, type AnAction } from './a-step-context.js';

const ROOT = { name: 'root', uid: 0, gid: 0, home: '/root' };
const JOB = Job.fromPartial({ name: 'a', service: 'a', timer: 'a.timer' });
const step = (action: AnAction) => Step.fromPartial({ name: 's', action });

/** The facts of what is refused. */
async function refused(
  target: Parameters<typeof aTarget>[1],
  steps: readonly Step[],
  more = {},
): Promise<string[]> {
  const why = await checkPolicy(aTarget('/srv', target), steps, aPolicy('/srv', more), ROOT);
  return Object.entries(why?.facts ?? {}).flatMap(([key, value]) => (key === 'policy' ? [] : [value]));
}

describe('what the policy says of kinds of fraise', () => {
  it('asks for the units of every job, and of those from the repository for a line of their own', async () => {
    expect(await refused({ jobs: [JOB] }, [])).to.deep.equal(['units: a.service', 'units: a.timer']);
    const units = ['a', 'a.timer'];
    expect(await refused({ jobs: [JOB] }, [], { units })).to.deep.equal([]);
    expect(await refused({ jobs: [JOB], units: 'deploy' }, [], { units })).to.deep.equal([
      'unit_files: a.service',
      'unit_files: a.timer',
    ]);
    const named = Job.fromPartial({ ...JOB, timerFile: 'x.timer' });
    expect(await refused({ jobs: [named] }, [], { units })).to.deep.equal(['unit_files: a.timer']);
    expect(await refused({ jobs: [JOB], units: 'deploy' }, [], { units, unit_files: ['a*'] })).to.deep.equal([
      'unit_files: a.timer',
    ]);
    const why = await checkPolicy(aTarget('/srv', { jobs: [named] }), [], aPolicy('/srv', { units }), ROOT);
    expect(why?.hint).to.contain('--unit-file a.timer');
  });

  it('takes one star in a unit for anything', () => {
    const may = (listed: string, unit: string) =>
      mayInstallUnit(aPolicy('/', { unit_files: [listed] }), unit) === null;
    expect([may('a', 'a.service'), may('a', 'a.timer'), may('a-*.timer', 'a-b.timer')]).to.deep.equal([
      true,
      false,
      true,
    ]);
    expect([may('a-*.timer', 'b-a.timer'), may('a-*-a.timer', 'a-a.timer')]).to.deep.equal([false, false]);
    expect([may('*.timer', 'a.timer'), may('a*b*.timer', 'axb*.timer')]).to.deep.equal([true, true]);
  });

  it('asks who a script is looked at as, and for the script itself before it is run', async () => {
    const look = step({ $case: 'script', value: { path: 'run.py', commit: '' } });
    const run = step({ $case: 'script', value: { path: 'run.py', commit: '', run: true } });
    expect(await refused({}, [look])).to.deep.equal(['users: root']);
    expect(await refused({}, [run])).to.deep.equal(['commands: run.py', 'users: root']);
    expect(await refused({}, [look, run], { users: ['root'], commands: ['run.py'] })).to.deep.equal([]);
  });

  it('asks for the units that are waited for, as they may be stopped, and for nothing else of these steps', async () => {
    expect(await refused({}, [step({ $case: 'awaitIdle', value: { units: ['b'] } })])).to.deep.equal([
      'units: b.service',
    ]);
    const others: readonly AnAction[] = [
      { $case: 'unitFiles', value: {} },
      { $case: 'timers', value: {} },
      { $case: 'prove', value: {} },
    ];
    expect(await refused({}, others.map(step))).to.deep.equal([]);
  });

  it('is kept in the file under a key of its own', () =>
    withFolder(async (folder) => {
      const file = join(folder, 'policy.yaml');
      expect(await addToPolicy(file, { unit_files: ['a-*.timer'] })).to.deep.equal({
        unit_files: ['a-*.timer'],
      });
      expect((await loadPolicy(file)).unit_files).to.deep.equal(['a-*.timer']);
    }));
});

describe('what a run has to itself', () => {
  it('are the units of its jobs, too', () => {
    const assignment = Assignment.fromPartial({ target: aTarget('/srv', { jobs: [JOB] }), steps: [] });
    expect([...serialKeys(assignment)]).to.include.members(['unit a', 'unit a.timer']);
  });
});
