import { expect } from 'chai';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { CommandEnd, StepContext, StepEnd } from '../../agent/steps/step.js';
import { until } from '../support/until.js';
import { anAssignment, aStage, withFolder } from './builders.js';
import { aHost, finished, withRuns } from './host.js';

/** Two looks of 500 ms at most; what became of them goes to `ends`. */
const looking =
  (ends: CommandEnd[]) =>
  async (_: Step, context: StepContext): Promise<StepEnd> => {
    for (const argv of [['one'], ['two']]) ends.push(await context.command({ argv, limitMs: 500 }));
    return { outcome: Outcome.SUCCEEDED };
  };

describe('a command with a limit of its own', () => {
  it('is stopped when it is reached, and the step goes on', () =>
    withFolder(async (folder) => {
      const ends: CommandEnd[] = [];
      const host = aHost(folder, { runStep: looking(ends) });
      host.exec.script = ({ argv }) =>
        argv[0] === 'one' ? { ended: 'running' } : { ended: 'exited', exitCode: 0 };
      await withRuns(host, async (runs) => {
        await runs.accept(anAssignment([aStage('looks')]));
        await until('the first look', () => host.exec.started.length === 1);
        host.clock.advance(500);
        await finished(runs);
        expect(ends[0]).to.have.nested.property('reason.code', 'timed_out');
        expect(ends[0]).to.have.nested.property('reason.message', 'no end within 500 ms');
        expect(ends[1]).to.deep.equal({ ended: 'exited', exitCode: 0, output: '' });
        expect(host.exec.stopped).to.deep.equal(['r_1-looks-1-1']);
      });
    }));

  it('leaves no traces once it has ended, and no timer', () =>
    withFolder(async (folder) => {
      const host = aHost(folder, { runStep: looking([]) });
      await withRuns(host, async (runs) => {
        await runs.accept(anAssignment([aStage('looks')]));
        await finished(runs);
        expect(host.exec.forgotten.slice(0, 2)).to.deep.equal(['r_1-looks-1-1', 'r_1-looks-1-2']);
        expect(await runs.get('r_1')?.folder.commands()).to.deep.equal([]);
        expect(host.clock.sleepers(500)).to.equal(0);
      });
    }));
});
