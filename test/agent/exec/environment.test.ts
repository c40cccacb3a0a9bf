import { expect } from 'chai';
import { formatEnvironmentFile, parseEnvironmentFile } from '../../../agent/exec/environment-file.js';
import { minimalEnvironment } from '../../../agent/exec/environment.js';
import { parseProcessLine } from '../../../agent/exec/processes.js';
import { runProgram } from '../../../agent/exec/run-program.js';
import { searchPath } from '../../../agent/exec/search-path.js';
import { findUser, ownUser } from '../../../agent/exec/users.js';

describe('an environment file', () => {
  const cases: [string, string, Record<string, string>][] = [
    ['plain values', 'A=1\nB=two words  \nC=\n', { A: '1', B: 'two words', C: '' }],
    ['comments and blank lines', '# A=1\n; B=2\n\nC=3 # kept\n', { C: '3 # kept' }],
    ['single quotes', 'A=\'$HOME \\n "x"\'\n', { A: '$HOME \\n "x"' }],
    ['double quotes', 'A="a \\"b\\" \\$HOME \\\\ \\n \\`"\n', { A: 'a "b" $HOME \\ \\n `' }],
    ['quotes over several lines', 'A="one\ntwo"\nB=\'x\ny\'\n', { A: 'one\ntwo', B: 'x\ny' }],
    ['quotes and plain text together', 'A="b c"d\' e\'\n', { A: 'b cd e' }],
    ['a space kept by quotes', 'A="x "  \n', { A: 'x ' }],
    ['a backslash outside quotes', 'A=a\\ \\"b\n', { A: 'a "b' }],
    ['a line that goes on', 'A=one\\\ntwo\nB="x\\\ny"\n', { A: 'onetwo', B: 'xy' }],
    ['the later of two', 'A=1\nA=2\n', { A: '2' }],
    ['no line end', 'A=1', { A: '1' }],
    ['an end in the middle of something', 'A="1', { A: '1' }],
    ['lines without a name', '=1\n1A=2\nexport B=3\nC\n  D = 4\n', { D: '4' }],
    [
      'values that look like other things',
      'URL=postgres://u:p@h/db?x=1&y=$z\n',
      { URL: 'postgres://u:p@h/db?x=1&y=$z' },
    ],
  ];
  for (const [what, text, values] of cases) {
    it(`is read as systemd reads it: ${what}`, () => {
      expect(parseEnvironmentFile(text)).to.deep.equal(values);
    });
  }

  it('is written so that it reads back the same', () => {
    const values = { A: 'a "b" \\ $HOME `c` \' # ;', B: 'two\nlines', C: '', D: '  spaces  ' };
    expect(parseEnvironmentFile(formatEnvironmentFile(values))).to.deep.equal(values);
  });
});

describe('who and where', () => {
  it('finds users of this host, and no others', async () => {
    const own = ownUser();
    expect(await findUser(own.name)).to.include({ uid: own.uid, gid: own.gid });
    expect(await findUser('no-such-user')).to.equal(null);
    expect(await findUser('-x; rm')).to.equal(null);
  });

  it('looks for programs in the usual folders, and last where node is', () => {
    expect(searchPath('/usr/bin/node')).to.equal(
      '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    );
    expect(searchPath('/opt/node/bin/node')).to.match(/:\/bin:\/opt\/node\/bin$/);
    expect(minimalEnvironment(ownUser())).to.have.keys('PATH', 'HOME', 'LANG', 'USER', 'LOGNAME');
  });

  it('reads lines of /proc and of ps, and nothing else', () => {
    const stat = `12 (a) b) (c) S 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0`;
    expect(parseProcessLine(stat)).to.deep.equal({ pid: 12, state: 'S', group: 12, startedAt: '4711' });
    const ps = '   12 Ss     12 Mon Nov 23 00:00:00 2026';
    expect(parseProcessLine(ps)).to.deep.equal({
      pid: 12,
      state: 'Ss',
      group: 12,
      startedAt: 'Mon Nov 23 00:00:00 2026',
    });
    for (const line of ['', 'void', '12 (short) S 1', '12 34']) expect(parseProcessLine(line)).to.equal(null);
  });

  it('runs short programs and never throws', async () => {
    expect(
      await runProgram(['sh', '-c', 'echo out; echo err >&2; exit 4'], { timeoutMs: 5000 }),
    ).to.deep.equal({
      exitCode: 4,
      stdout: 'out\n',
      stderr: 'err\n',
      problem: '',
      brokenOff: false,
    });
    const cut = await runProgram(['sleep', '60'], { timeoutMs: 20 });
    expect([cut.exitCode, cut.brokenOff]).to.deep.equal([null, true]);
    const missing = await runProgram(['no-such-program'], { timeoutMs: 5000 });
    expect(missing.brokenOff).to.equal(false);
    expect(missing).to.have.property('problem').that.includes('ENOENT');
    expect(await runProgram(['pwd'], { timeoutMs: 5000, cwd: '/' })).to.have.property('stdout', '/\n');
  });
});
