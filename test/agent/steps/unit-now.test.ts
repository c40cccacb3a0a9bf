import { expect } from 'chai';
import { unitNow } from '../../../agent/steps/unit-now.js';
import { aSystemd } from './a-step-context.js';

const NOTHING_KNOWN = { unitState: 'unknown', unitStartedAt: undefined, reloadDue: false };

describe('the unit of a fraise, now', () => {
  it('is as systemd tells it', async () => {
    const systemd = aSystemd({
      'checkout.service': {
        ActiveState: 'active',
        ActiveEnterTimestamp: 'Fri 2026-01-02 03:04:06 UTC',
        NeedDaemonReload: 'yes',
      },
    });
    expect(await unitNow({ systemdService: 'checkout' }, systemd)).to.deep.equal({
      unitState: 'active',
      unitStartedAt: new Date('2026-01-02T03:04:06Z'),
      reloadDue: true,
    });
  });

  it('is unknown where systemd does not answer, is not there, or there is no unit', async () => {
    const silent = aSystemd({}, { show: async () => ({}) });
    expect(await unitNow({ systemdService: 'checkout' }, silent)).to.deep.equal(NOTHING_KNOWN);
    expect(await unitNow({ systemdService: 'checkout' }, null)).to.deep.equal(NOTHING_KNOWN);
    expect(await unitNow({ systemdService: '' }, silent)).to.deep.equal(NOTHING_KNOWN);
  });
});
