import { Ansis } from 'ansis';
import { expect } from 'chai';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import type { WatchEvent } from '../../../proto/gen/fraisier/v1/control.js';
import { eventLine } from '../../../cli/views/event-line.js';
import { NO_PROGRESS, withEvent, type Progress } from '../../../cli/views/progress.js';
import { treeFrame } from '../../../cli/views/tree.js';
import {
  at,
  changed,
  heard,
  NOW,
  PLAIN,
  runFinished,
  runStarted,
  stepFinished,
  stepNote,
  stepStarted,
  UNHEALTHY,
} from '../samples.js';

const ROWS = 40;
const look = { ...PLAIN, now: at(20), columns: 80 };
const told = (events: readonly WatchEvent[]): Progress => events.reduce(withEvent, NO_PROGRESS);

const BEGINNING = [
  changed(1, { status: 'running', startedAt: NOW }),
  heard(2, 'web-1', runStarted, Phase.PREPARE),
  heard(3, 'web-1', stepStarted('fetch'), Phase.PREPARE),
  heard(4, 'web-1', stepFinished('fetch', 800), Phase.PREPARE),
  heard(5, 'web-1', runFinished(), Phase.PREPARE),
  heard(6, 'web-2', runStarted, Phase.PREPARE),
  heard(7, 'web-1', runStarted),
  heard(8, 'web-1', stepStarted('activate')),
  heard(9, 'web-1', stepFinished('activate', 100)),
  heard(10, 'web-1', stepStarted('health')),
  heard(11, 'web-1', stepNote('health', 'attempt 2 of 10: 503')),
];

describe('the live view', () => {
  it('waits for the first event', () => {
    expect(treeFrame(NO_PROGRESS, look, ROWS)).to.deep.equal(['waiting for the first event …']);
  });

  it('draws hosts, their phases, and the steps of what runs now with the latest health attempt', () => {
    expect(treeFrame(told(BEGINNING), look, ROWS)).to.deep.equal([
      'checkout → production  3f2c1ab  running  20.0s',
      '  web-1  ✓ prepare 3.0s  … release 13.0s',
      '    ✓ activate  0.1s',
      '    … health  10.0s  attempt 2 of 10: 503',
      '  web-2  … prepare 14.0s',
    ]);
  });

  it('draws why something failed, and the way back', () => {
    const events = [
      ...BEGINNING,
      heard(12, 'web-1', stepFinished('health', 9000, UNHEALTHY)),
      heard(13, 'web-1', runFinished(UNHEALTHY)),
      changed(14, { status: 'rolling_back', startedAt: NOW, reason: UNHEALTHY }),
    ];
    expect(treeFrame(told(events), look, ROWS)).to.deep.equal([
      'checkout → production  3f2c1ab  rolling_back  20.0s',
      '  web-1 answered 503 ten times',
      '  web-1  ✓ prepare 3.0s  ✗ release 6.0s',
      '    ✓ activate  0.1s',
      '    ✗ health  9.0s  web-1 answered 503 ten times',
      '      web-1 answered 503 ten times',
      '  web-2  … prepare 14.0s',
    ]);
    const back = [...events, heard(15, 'web-1', stepStarted('activate'), Phase.UNDO)];
    expect(treeFrame(told(back), look, ROWS)[2]).to.equal(
      '  web-1  ✓ prepare 3.0s  ✗ release 6.0s  … undo 5.0s',
    );
  });

  it('draws one that waits in the queue', () => {
    expect(
      treeFrame(told([changed(1, { status: 'queued', startedAt: undefined })]), look, ROWS),
    ).to.deep.equal(['checkout → production  3f2c1ab  queued']);
  });

  it('shows what an event it does not know leaves untouched', () => {
    const progress = told(BEGINNING);
    expect(withEvent(progress, { number: 12, at: NOW, event: undefined })).to.equal(progress);
    expect(withEvent(progress, heard(13, 'web-1', undefined)).hosts).to.equal(progress.hosts);
  });

  it('counts an event that is told twice once', () => {
    expect(told([...BEGINNING, ...BEGINNING.slice(9)])).to.deep.equal(told(BEGINNING));
  });

  it('fits the terminal: long lines are cut, too many are counted', () => {
    const ink = new Ansis(1);
    const narrow = treeFrame(told(BEGINNING), { ...look, ink, columns: 12 }, 4);
    expect(narrow.map((line) => new Ansis(0).strip(line))).to.deep.equal([
      'checkout → p',
      '  web-1  ✓ p',
      '  … and 3 mo',
    ]);
    expect(narrow[1]).to.include(ink.green('✓'));
  });
});

describe('the plain view', () => {
  const line = (event: WatchEvent): string => eventLine(event, PLAIN);

  it('writes one line an event', () => {
    expect(
      [
        changed(1, { status: 'running' }),
        changed(2, { status: 'paused', reason: UNHEALTHY }),
        heard(3, 'db', runStarted, Phase.MIGRATE_DOWN),
        heard(4, 'web-1', stepStarted('fetch')),
        heard(5, 'web-1', stepStarted('fetch', 2)),
        heard(6, 'web-1', stepNote('health', 'attempt 1: 503')),
        heard(7, 'web-1', stepFinished('health', 900)),
        heard(8, 'web-1', stepFinished('health', 900, UNHEALTHY)),
        heard(9, 'web-1', runFinished()),
        heard(10, 'web-1', runFinished(UNHEALTHY)),
      ].map(line),
    ).to.deep.equal([
      '12:00:01Z running',
      '12:00:02Z paused web-1 answered 503 ten times',
      '12:00:03Z db migrate_down started',
      '12:00:04Z web-1 release fetch started',
      '12:00:05Z web-1 release fetch started (attempt 2)',
      '12:00:06Z web-1 release health: attempt 1: 503',
      '12:00:07Z web-1 release health succeeded in 0.9s',
      '12:00:08Z web-1 release health failed in 0.9s: web-1 answered 503 ten times',
      '12:00:09Z web-1 release succeeded',
      '12:00:10Z web-1 release failed: web-1 answered 503 ten times',
    ]);
  });

  it('says so when an event is of a kind it does not know', () => {
    expect(line({ number: 1, at: undefined, event: undefined })).to.equal(
      '--:--:--Z an event this program does not know',
    );
    expect(line(heard(2, 'web-1', undefined))).to.equal(
      '12:00:02Z web-1 release did something this program does not know',
    );
  });
});
