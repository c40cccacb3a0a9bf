import { expect } from 'chai';
import { endOfDiskError, lastLine } from '../../../agent/steps/ends.js';
import { outputOf, refuseAddress } from '../../../agent/steps/git.js';

describe('how a step ends', () => {
  const diskError = (code: string): Error =>
    Object.assign(new Error(`${code}: from the kernel`), { code, errno: -1 });

  it('that the disk was full for is told apart from every other no of the file system', () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      expect(endOfDiskError(diskError(code), 'staging', 'stage_failed')).to.have.nested.property(
        'reason.code',
        'disk_full',
      );
    }
    const end = endOfDiskError(diskError('EACCES'), 'staging', 'stage_failed');
    expect(end).to.have.nested.property('reason.message', 'staging: EACCES: from the kernel');
  });

  it('is not made up from what the file system did not say', () => {
    expect(() => endOfDiskError(new Error('a bug'), 'staging', 'stage_failed')).to.throw('a bug');
  });

  it('quotes the last line that says something, cut to a bearable length', () => {
    expect(lastLine('one\r\ntwo \n \n')).to.equal('two');
    expect(lastLine('x'.repeat(1000))).to.have.length(500);
    expect(lastLine('')).to.equal('');
  });
});

describe('the address of a repository', () => {
  it('may name a user where that is no secret', () => {
    for (const address of [
      'git@example.com:acme/a.git',
      'ssh://git@example.com/a.git',
      'https://example.com/a.git',
      '/srv/git/a.git',
    ]) {
      expect(refuseAddress(address)).to.equal(null);
    }
  });
});

describe('what git printed', () => {
  it('is nothing where it did not come to an end', () => {
    expect(outputOf({ ended: 'signalled', signal: 'SIGKILL' })).to.equal('');
  });
});
