import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { renewalDueAt } from '../../agent/identity.js';
import { newKey, signingRequest } from '../../agent/signing-request.js';
import { openDatabase } from '../../controller/db/database.js';
import { readSigningRequest } from '../../controller/pki/certificate-authority.js';
import { agentState, authorityOf, identitiesOf } from '../support/agent-relay.js';
import { until } from '../support/until.js';
import { AGENT, type CutLab } from './cut-lab.js';
import type { Cut } from './cut-line.js';
import { ended, push } from './deploying.js';

const DAY_MS = 86_400_000;

/** What is said between the two beside the story of a deployment that goes well. */
export const CONVERSATIONS: readonly {
  readonly names: readonly string[];
  /** Throws unless all ends as if nothing had been cut. */
  readonly play: (lab: CutLab, cut: Cut) => Promise<void>;
}[] = [
  { names: ['question', 'answer'], play: asked },
  { names: ['cancel'], play: cancelled },
  { names: ['drain', 'goodbye'], play: drained },
  { names: ['refused'], play: refused },
  { names: ['renew', 'renewed'], play: renewed },
];

/** A branch is asked of the host before anything is queued. */
async function asked({ cluster, line, gated }: CutLab, cut: Cut): Promise<void> {
  const commit = await gated.commit('asked for');
  line.play([cut]);
  const { id } = await cluster.control.ask('requestDeployment', {
    ...{ fraise: 'hello', environment: 'production', branch: 'main', commit: '', hosts: [] },
    ...{ force: false, trigger: 'cli', requestId: '', skipUnreachable: false },
  });
  const shown = await ended(cluster, id);
  expect([shown.status, shown.commit]).to.deep.equal(['succeeded', commit]);
}

async function cancelled(lab: CutLab, cut: Cut): Promise<void> {
  const live = () =>
    lab.gated.service.answer().then(
      ({ commit }) => commit,
      () => 'nothing',
    );
  const before = await live();
  const id = await lab.begin([cut]);
  await lab.cluster.control.ask('cancelDeployment', { id });
  const shown = await ended(lab.cluster, id);
  expect(shown.status, JSON.stringify(shown.reason)).to.equal('cancelled');
  expect(await lab.gated.begun('install')).to.equal(1);
  expect(await live()).to.equal(before);
}

/** The controller is stopped and started again while install goes on. */
async function drained(lab: CutLab, cut: Cut): Promise<void> {
  const id = await lab.begin([cut]);
  expect(await lab.cluster.controller.stop(), 'exit code of the controller').to.equal(0);
  await lab.cluster.controller.start();
  await lab.gated.open('install');
  await lab.expectDone(await ended(lab.cluster, id));
}

/** The agent cannot write down what it is to do. */
async function refused({ cluster, line, gated }: CutLab, cut: Cut): Promise<void> {
  const runs = join(agentState(cluster, AGENT), 'runs');
  const commit = await gated.commit('refused');
  line.play([cut]);
  await rename(runs, `${runs}.aside`);
  await writeFile(runs, '');
  try {
    const shown = await ended(cluster, await push(cluster, gated.service.repository, commit));
    expect([shown.status, shown.reason?.code]).to.deep.equal(['failed', 'preflight_failed']);
  } finally {
    await rm(runs);
    await rename(`${runs}.aside`, runs);
  }
}

/** It comes back with a certificate of which more than half is used up. */
async function renewed(lab: CutLab, cut: Cut): Promise<void> {
  const identities = identitiesOf(lab.cluster, AGENT);
  await makeOlder(lab.cluster);
  lab.line.play([cut]);
  lab.line.cutNow();
  const isRenewed = async () => renewalDueAt(await identities.valid(new Date())) > new Date();
  await until('a new certificate', isRenewed);
  await lab.expectCut();
  await lab.connected();
  await lab.expectDone(await lab.deploy([]));
}

async function makeOlder(cluster: CutLab['cluster']): Promise<void> {
  const { certificatePem: authorityPem, ...authority } = await authorityOf(cluster);
  const keyPem = await newKey();
  const request = await readSigningRequest(await signingRequest(keyPem));
  const then = new Date(Date.now() - 4 * DAY_MS);
  const { certificatePem } = await authority.issueAgent(AGENT, request, then);
  const db = openDatabase({ url: cluster.databaseUrl ?? '' });
  await db('tb_agent').update({ enrolled_at: then });
  await db.destroy();
  await identitiesOf(cluster, AGENT).save({ keyPem, certificatePem, authorityPem });
}
