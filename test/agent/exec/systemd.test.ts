import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemctlSystemd, systemdHere } from '../../../agent/exec/systemd.js';
import { thisHost } from '../../../agent/exec/choose.js';
import { reason } from '../../../proto/error-codes.js';
import { aFakeSystemd } from './a-fake-systemd.js';
import { never, withFolder, writeExecutable } from './a-spec.js';

describe('systemd as steps see it', () => {
  it('is there exactly where it is process 1', () => {
    expect(systemdHere() !== null).to.equal(thisHost().systemd);
    expect(systemctlSystemd()).to.have.property('show');
  });

  it('shows every property asked for', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      await fake.addUnit('a.service', { NRestarts: '2', Environment: 'A=1 B=2' });
      const systemd = systemctlSystemd(fake);
      expect(
        await systemd.show('a.service', ['LoadState', 'NRestarts', 'Environment', 'Nothing']),
      ).to.deep.equal({
        LoadState: 'loaded',
        NRestarts: '2',
        Environment: 'A=1 B=2',
        Nothing: '',
      });
      expect(await systemd.show('b.service', ['LoadState'])).to.deep.equal({ LoadState: 'not-found' });
      await writeFile(join(fake.table, 'broken'), '');
      expect(await systemd.show('a.service', ['LoadState'])).to.deep.equal({ LoadState: '' });
    }));

  it('restarts and stops units, and tells what systemctl says', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      await fake.addUnit('a.service', {});
      await fake.addUnit('b.service', { fails: true });
      const systemd = systemctlSystemd(fake);
      expect(await systemd.restart('a.service', never())).to.deep.equal({
        ended: 'exited',
        exitCode: 0,
        output: '',
      });
      expect(await systemd.restart('b.service', never())).to.deep.equal({
        ended: 'exited',
        exitCode: 1,
        output: 'Job for the unit failed. See "systemctl status".\n',
      });
      expect(await systemd.stop('c.service', never())).to.have.property('exitCode', 5);
    }));

  it('enables, starts, disables and resets units, and has unit files read again', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      const systemctl = await writeExecutable(join(folder, 'systemctl'), '#!/bin/sh\necho "$@"\n');
      const systemd = systemctlSystemd({ ...fake, systemctl });
      const said = async (end: ReturnType<typeof systemd.start>) => ({ output: '', ...(await end) }).output;
      expect(await said(systemd.start('a.timer', never()))).to.equal('start -- a.timer\n');
      expect(await said(systemd.enable('a.timer', never()))).to.equal('enable -- a.timer\n');
      expect(await said(systemd.disable('a.timer', never()))).to.equal('disable -- a.timer\n');
      expect(await said(systemd.resetFailed('a.service', never()))).to.equal('reset-failed -- a.service\n');
      expect(await said(systemd.daemonReload(never()))).to.equal('daemon-reload\n');
      expect(systemd.unitFolder).to.equal('/etc/systemd/system');
      expect(systemctlSystemd(fake, '/elsewhere').unitFolder).to.equal('/elsewhere');
    }));

  it('stops waiting when told to, with the reason it was told', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      await fake.addUnit('a.service', { hangs: true });
      const systemd = systemctlSystemd(fake);
      const why = reason('cancelled', 'enough');
      expect(await systemd.restart('a.service', AbortSignal.abort(why))).to.deep.equal({
        ended: 'stopped',
        reason: why,
      });
      const other = await systemd.restart('a.service', AbortSignal.abort(new Error('leaving')));
      expect(other).to.have.nested.property('reason.code', 'cancelled');
    }));

  it('asks again when systemctl lost systemd on the way: that says nothing of the unit', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      const lost = `echo 'Warning! D-Bus connection terminated.' >&2; exit 1`;
      const once = join(folder, 'asked');
      const systemctl = await writeExecutable(
        join(folder, 'systemctl'),
        `#!/bin/sh\n[ -e '${once}' ] || { : >'${once}'; ${lost}; }\necho done\n`,
      );
      const systemd = systemctlSystemd({ ...fake, systemctl });
      const done = { ended: 'exited', exitCode: 0, output: 'done\n' };
      expect(await systemd.restart('a.service', never())).to.deep.equal(done);
    }));

  it('does not know the outcome where systemctl itself is missing', () =>
    withFolder(async (folder) => {
      const systemd = systemctlSystemd({
        systemctl: join(folder, 'no-systemctl'),
        journalctl: join(folder, 'no-journalctl'),
      });
      expect(await systemd.restart('a.service', never())).to.have.nested.property(
        'reason.code',
        'outcome_unknown',
      );
      expect(await systemd.journalTail('a.service', 5)).to.equal('');
    }));

  it('reads the last lines of a unit’s journal', () =>
    withFolder(async (folder) => {
      const fake = await aFakeSystemd(folder);
      await writeFile(join(fake.table, 'a.service.journal'), 'one\ntwo\nthree\n');
      expect(await systemctlSystemd(fake).journalTail('a.service', 2)).to.equal('two\nthree\n');
    }));
});
