import { expect } from 'chai';
import { CONVERSATIONS } from './cut-conversations.js';
import { CutLab } from './cut-lab.js';
import type { Cut } from './cut-line.js';
import { cutSocket } from './cut-socket.js';
import { OUTPUT, PHASES, STORY, watched } from './deployment-story.js';
import { drawn, PLAYS_WHOLE } from './drawn.js';

const MOMENTS = ['before', 'after'] as const;
const OF_INSTALL = ['output of install, its beginning', 'output of install, more'];

/** What passes in a deployment over one connection. */
const OF_A_DEPLOYMENT = [
  ...STORY,
  'release health notes health_attempt',
  ...OF_INSTALL,
  ...PHASES.flatMap((phase) => [`assignment of ${phase}`, `ack of ${phase}`, `ack of ${phase} to its end`]),
  ...OF_INSTALL.map((output) => `ack of ${output}`),
];

/** What is said of install's output, whichever part it is. */
const KINDS_OF_OUTPUT = ['output of install', 'ack of output of install'];

/** What passes at the beginning of another. */
const OF_A_CONNECTION = ['hello', 'welcome', 'ping', 'pong'];
const CUT_BEFORE: Cut = { moment: 'before', name: 'output of install, its beginning' };

interface Scene {
  readonly title: string;
  readonly play: (lab: CutLab) => Promise<void>;
}

/** From where on nothing comes through for longer than a lease, and nobody is told. */
const SILENT_FROM = ['migrate migrate has started', 'ack of release', 'release restart has finished'];

const CUTS: readonly Scene[] = MOMENTS.flatMap((moment) => [
  ...OF_A_DEPLOYMENT.map((name) => scene({ moment, name }, deployed())),
  ...OF_A_CONNECTION.map((name) => scene({ moment, name }, deployed(CUT_BEFORE))),
  ...CONVERSATIONS.flatMap(({ names, play }) => names.map((name) => scene({ moment, name }, play))),
  {
    title: `${moment} whoever watches, or follows the output, has another message, again and again`,
    play: (lab) => followed(lab, moment),
  },
]);

const SILENCES = SILENT_FROM.map((name) => ({
  title: `silent from ${name}, until the two notice it (row 6)`,
  play: scene({ moment: 'from', name }, deployed()).play,
}));

function scene(cut: Cut, play: (lab: CutLab, cut: Cut) => Promise<void>): Scene {
  return {
    title: `${cut.moment} the other side has: ${cut.name}`,
    play: async (lab) => {
      await play(lab, cut);
      await lab.expectCut();
    },
  };
}

function deployed(...first: readonly Cut[]) {
  return async (lab: CutLab, cut: Cut) => lab.expectDone(await lab.deploy([...first, cut]));
}

async function followed(lab: CutLab, moment: (typeof MOMENTS)[number]): Promise<void> {
  const each = PLAYS_WHOLE ? 1 : 10;
  const id = await lab.begin([]);
  const watching = cutOff(lab, ['watch', id, '--json'], moment, each);
  const reading = cutOff(lab, ['logs', id, '--follow', '--step', 'install'], moment, 1);
  await lab.gated.open('install');
  const [events, output] = await Promise.all([watching, reading]);
  expect(watched(events.stdout)).to.deep.equal(STORY);
  expect(output.stdout).to.equal(OUTPUT);
  expect(events.cuts).to.be.at.least(Math.floor(STORY.length / each));
  expect(output.cuts).to.be.at.least(2);
}

/** What a command prints whose connection breaks at every `each`-th message. */
async function cutOff(lab: CutLab, args: readonly string[], moment: 'before' | 'after', each: number) {
  const socket = await cutSocket(lab.cluster, moment, each);
  try {
    const stdout = await lab.cluster.must(args, { environment: { FRAISIER_CONTROLLER: socket.address } });
    return { stdout, cuts: socket.cuts() };
  } finally {
    await socket.stop();
  }
}

describe('a connection that is cut (row 1)', function () {
  this.timeout(120_000);
  let lab: CutLab;

  before(async () => {
    lab = await CutLab.start();
  });

  // Not there when it could not be started.
  after(() => (lab as CutLab | undefined)?.stop());

  beforeEach(() => lab.gated.reset());

  for (const { title, play } of drawn('cuts of a connection', [...CUTS, ...SILENCES], 2)) {
    it(title, () => play(lab));
  }

  if (PLAYS_WHOLE) {
    it('never: a deployment consists of these messages and no others', async () => {
      await lab.deploy([]);
      const among = (name: string) => !/output of (?!install)/.test(name) && !OF_A_CONNECTION.includes(name);
      expect([...lab.line.heard].filter(among)).to.have.members([...OF_A_DEPLOYMENT, ...KINDS_OF_OUTPUT]);
    });
  }
});
