import { join } from 'node:path';
import { expect } from 'chai';
import { pino, type Logger } from 'pino';
import { systemDisk } from '../../agent/disk.js';
import { Phase, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { until } from '../support/until.js';
import { aCommand, anAssignment } from './builders.js';
import { withFolder } from './exec/a-spec.js';
import { aHost, finished, withRuns } from './host.js';

const noRoom = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 });

/** A logger and the messages it was given, each with the error's words. */
function listening(): { readonly logger: Logger; readonly heard: string[] } {
  const heard: string[] = [];
  const write = (line: string): void => {
    const { msg, err } = JSON.parse(line) as { msg: string; err: { message: string } };
    heard.push(`${msg}: ${err.message}`);
  };
  const logger: Logger = pino({ level: 'warn' }, { write });
  return { logger, heard };
}

describe('what the agent could not do for a way back, or clear away', () => {
  it('is in its log: that no room is kept, and what is left of a run that could not be begun', () =>
    withFolder(async (folder) => {
      const { logger, heard } = listening();
      const disk = {
        ...systemDisk,
        writeLoosely: () => Promise.reject(noRoom),
        remove: (path: string) =>
          path.endsWith('/r_1') ? Promise.reject(new Error('EIO: no')) : systemDisk.remove(path),
      };
      await withRuns(aHost(folder, { disk, logger }), async (runs) => {
        expect(heard).to.deep.equal([`no room can be kept free for a way back: ${noRoom.message}`]);
        const refused = await runs.accept(anAssignment([aCommand('one')])).catch((error: unknown) => error);
        expect(refused).to.equal(noRoom);
        expect(heard.slice(1)).to.deep.equal(['what was begun of a run cannot be removed: EIO: no']);
        expect(runs.unfinished()).to.deep.equal([]);
      });
    }));
});

describe('the room that is kept for a way back', () => {
  const UNDO = { phase: Phase.UNDO };
  const mebibyte = 1024 * 1024;
  const kept = (folder: string): Promise<number> => systemDisk.size(join(folder, 'reserve'));

  it('is given up when one begins, not taken back meanwhile, and kept again when it is over', () =>
    withFolder((folder) => {
      const host = aHost(folder);
      host.exec.script = ({ id }) =>
        id.startsWith('r_back') ? { ended: 'running' } : { ended: 'exited', exitCode: 0 };
      return withRuns(host, async (runs) => {
        expect(await kept(folder)).to.equal(mebibyte);
        await runs.accept(anAssignment([aCommand('back')], { ...UNDO, runId: 'r_back' }));
        expect(await kept(folder)).to.equal(0);
        const other = {
          runId: 'r_other',
          target: Target.fromPartial({ appPath: '/srv/other', fraise: 'other' }),
        };
        await runs.accept(anAssignment([aCommand('one')], other));
        await finished(runs, 'r_other');
        await runs.acknowledge('r_other', 1_000);
        expect([runs.get('r_other'), await kept(folder)]).to.deep.equal([undefined, 0]);
        await until('the command', () => host.exec.started.includes('r_back-back-1-1'));
        host.exec.set('r_back-back-1-1', { ended: 'exited', exitCode: 0 });
        await finished(runs, 'r_back');
        await runs.acknowledge('r_back', 1_000);
        expect(await kept(folder)).to.equal(mebibyte);
      });
    }));

  it('is not taken by an agent that starts in the middle of one', () =>
    withFolder(async (folder) => {
      const host = aHost(folder);
      host.exec.script = () => ({ ended: 'running' });
      await withRuns(host, async (runs) => {
        await runs.accept(anAssignment([aCommand('back')], { ...UNDO, runId: 'r_back' }));
        await until('the command', () => host.exec.started.includes('r_back-back-1-1'));
      });
      await withRuns(host, async () => expect(await kept(folder)).to.equal(0));
    }));
});
