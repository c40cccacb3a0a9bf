import { expect } from 'chai';
import { planFromHosts } from '../../../cli/views/preview.js';
import { DeploymentPreview } from '../../../proto/gen/fraisier/v1/control.js';
import { PLAIN } from '../samples.js';

describe('the plan of a scheduled fraise', () => {
  it('shows how unit files differ from those installed, line by line', () => {
    const changed = {
      path: '/etc/systemd/system/a.timer',
      change: 'M',
      lines: ['-OnCalendar=daily', '+OnCalendar=weekly'],
    };
    const gone = { path: '/etc/systemd/system/b.timer', change: 'D', lines: [] };
    const preview = { unitFiles: [changed, gone] };
    const said = planFromHosts(DeploymentPreview.fromPartial({ hosts: [{ host: 'h', preview }] }), PLAIN);
    expect(said).to.contain(
      '  unit file M /etc/systemd/system/a.timer\n    -OnCalendar=daily\n    +OnCalendar=weekly\n' +
        '  unit file D /etc/systemd/system/b.timer\n',
    );
  });
});
