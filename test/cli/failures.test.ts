import { expect } from 'chai';
import { FraisierError } from '../../proto/error-codes.js';
import { failureJson, failureOf, failureText, wantsJson } from '../../cli/failures.js';

describe('failures', () => {
  const textOf = (error: unknown): string => failureText(failureOf(error, 'list'));

  it('say what and why, then the next command', () => {
    const locked = new FraisierError('locked', 'ann holds it', { hint: 'fraisier unlock' });
    expect(textOf(locked)).to.equal('error: ann holds it\nnext: fraisier unlock\n');
  });

  it('leave out the next command where there is none', () => {
    expect(textOf(new FraisierError('internal', 'the controller failed; its log says why'))).to.equal(
      'error: the controller failed; its log says why\n',
    );
  });

  it('name the file that the system refused, and who may have it', () => {
    const refused = Object.assign(new Error("EACCES: permission denied, open '/etc/x'"), {
      code: 'EACCES',
      syscall: 'open',
    });
    expect(textOf(refused)).to.equal(
      "error: EACCES: permission denied, open '/etc/x'\nnext: run it as root, or as the owner of that file\n",
    );
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
    expect(failureOf(full, '')).to.include({ code: 'usage', hint: '', exitCode: 2 });
  });

  it('own up to a fault of the program itself', () => {
    expect(failureOf(new TypeError('x is not a function'), '')).to.deep.equal({
      code: 'internal',
      message: 'this should not have happened: x is not a function',
      hint: 'report it, with what was typed',
      exitCode: 3,
    });
    expect(failureOf('thrown text', '').message).to.equal('this should not have happened: thrown text');
  });

  it('are one line of JSON for programs', () => {
    expect(failureJson(failureOf(new FraisierError('internal', 'no'), ''))).to.equal(
      '{"error":{"code":"internal","message":"no","hint":null}}\n',
    );
  });

  it('are JSON only when --json was asked for, not passed through', () => {
    expect([['list', '--json'], ['list', '--', '--json'], ['list']].map(wantsJson)).to.deep.equal([
      true,
      false,
      false,
    ]);
  });

  it('keep quiet about a plain exit', () => {
    const exit = Object.assign(new Error('EEXIT: 0'), { code: 'EEXIT', oclif: { exit: 0 } });
    expect(failureOf(exit, '')).to.include({ message: '', exitCode: 0 });
  });
});
