import { expect } from 'chai';
import { darkScreen, jsonScreen, LiveScreen, plainScreen } from '../../cli/screens.js';
import { until } from '../support/until.js';
import { changed, heard, PLAIN, runStarted } from './samples.js';

describe('screens', () => {
  let written: string[];
  let complaints: string[];
  beforeEach(() => {
    written = [];
    complaints = [];
  });
  const outputs = () => ({
    out: { write: (text: string | Uint8Array) => written.push(String(text)) > 0, rows: 0 },
    complain: (line: string) => void complaints.push(line),
    look: () => PLAIN,
  });

  it('that are dark show nothing but complaints', () => {
    const screen = darkScreen(outputs());
    screen.show(changed(1, { status: 'running' }));
    screen.say('the controller is away');
    screen.close();
    expect({ written, complaints }).to.deep.equal({ written: [], complaints: ['the controller is away'] });
  });

  it('that are plain or JSON write a line an event', () => {
    const event = changed(1, { status: 'running' });
    for (const screen of [plainScreen(outputs()), jsonScreen(outputs())]) {
      screen.show(event);
      screen.close();
    }
    expect(written[0]).to.equal('12:00:01Z running\n');
    expect(JSON.parse(written[1] ?? '')).to.deep.include({ number: 1, event: 'deployment' });
  });

  it('let nothing that a host says move the cursor', () => {
    const screen = plainScreen(outputs());
    screen.show(heard(3, 'web-1\u001b[2J', runStarted));
    expect(written).to.deep.equal(['12:00:03Z web-1 [2J release started\n']);
  });

  it('that are live draw over themselves, below what is said, and leave the whole last frame', async () => {
    const screen = new LiveScreen(outputs());
    try {
      screen.show(changed(1, { status: 'running', startedAt: undefined }));
      await until('the first frame', () => written.length === 1);
      screen.show(heard(2, 'web-1', runStarted));
      await until('the second frame', () => written.length === 2);
      screen.say('the controller is away');
    } finally {
      screen.close();
    }
    const head = 'checkout → production  3f2c1ab  running\n';
    const host = '  web-1  … release 0.0s\n';
    expect(written).to.deep.equal([head, `\u001b[1A\u001b[J${head}${host}`, `${head}${host}`]);
    expect(complaints).to.deep.equal(['the controller is away']);
  });
});
