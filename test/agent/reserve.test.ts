import { expect } from 'chai';
import { pino, type Logger } from 'pino';
import { systemDisk } from '../../agent/disk.js';
import { aCommand, anAssignment } from './builders.js';
import { withFolder } from './exec/a-spec.js';
import { aHost, withRuns } from './host.js';

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
