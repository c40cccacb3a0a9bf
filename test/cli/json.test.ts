import { expect } from 'chai';
import { Agent, Stats, Webhook } from '../../proto/gen/fraisier/v1/control.js';
import { Phase } from '../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../proto/error-codes.js';
import { statsJson, toJson, watchEventJson } from '../../cli/json.js';
import {
  aDeployment,
  aFailedDeployment,
  changed,
  heard,
  NOW,
  runStarted,
  SHA,
  stepFinished,
  stepNote,
  UNHEALTHY,
} from './samples.js';

const WHY = {
  code: 'health_check_failed',
  message: 'web-1 answered 503 ten times',
  hint: null,
  host: 'web-1',
  answer: '503',
};

describe('JSON', () => {
  it('prints a deployment in its documented shape', () => {
    const deployment = toJson(
      aFailedDeployment({ finishedAt: undefined, durationMs: undefined, warnings: ['no health check'] }),
    );
    expect(deployment).to.deep.equal({
      id: 'd_1',
      fraise: 'checkout',
      environment: 'production',
      kind: 'deploy',
      status: 'failed',
      commit: SHA,
      ref: 'main',
      old_version: '9a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
      new_version: SHA,
      reason: WHY,
      trigger: 'cli',
      requested_by: 'ann',
      webhook_id: null,
      created_at: '2026-11-23T11:59:00.000Z',
      started_at: '2026-11-23T11:59:02.000Z',
      finished_at: null,
      duration_ms: null,
      config_revision: 3,
      warnings: ['no health check'],
      hosts: [
        {
          host: 'web-1',
          phase: 'release',
          status: 'failed',
          old_version: '9a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
          new_version: SHA,
          reason: WHY,
          late_reports: ['the unit is active after all'],
          steps: [
            {
              phase: 'prepare',
              name: 'fetch',
              status: 'succeeded',
              attempts: 2,
              duration_ms: 400,
              reason: null,
            },
            {
              phase: 'release',
              name: 'health',
              status: 'failed',
              attempts: 1,
              duration_ms: 90_000,
              reason: WHY,
            },
            {
              phase: 'release',
              name: 'hooks',
              status: 'skipped',
              attempts: 0,
              duration_ms: null,
              reason: null,
            },
          ],
        },
      ],
    });
  });

  it('says null for a reason that is absent', () => {
    expect(toJson(aDeployment())).to.have.property('reason', null);
  });

  it('begins a reason with its code, and lets no fact replace it', () => {
    const odd = reason('locked', 'held by ann', {
      hint: 'fraisier unlock',
      facts: { code: 'fake', owner: 'ann' },
    });
    expect(JSON.stringify(toJson(odd))).to.equal(
      '{"code":"locked","message":"held by ann","hint":"fraisier unlock","owner":"ann"}',
    );
  });

  it('leaves the keys of labels as the user wrote them', () => {
    const agent = toJson(Agent.fromPartial({ name: 'web-1', labels: { zoneName: 'a' }, lastSeenAt: NOW }));
    expect(agent).to.deep.include({
      name: 'web-1',
      labels: { zoneName: 'a' },
      last_seen_at: '2026-11-23T12:00:00.000Z',
      enrolled_at: null,
    });
  });

  it('prints a webhook with null for what the delivery did not have', () => {
    const webhook = toJson(
      Webhook.fromPartial({
        id: 'w_1',
        provider: 'github',
        verdict: 'ignored',
        reason: reason('tag_push', 'a tag'),
      }),
    );
    expect(webhook).to.deep.equal({
      id: 'w_1',
      provider: 'github',
      delivery_id: null,
      event: null,
      repository: null,
      branch: null,
      tag: null,
      commit: null,
      sender: null,
      verdict: 'ignored',
      reason: { code: 'tag_push', message: 'a tag', hint: null },
      deployments: [],
      received_at: null,
      original_id: null,
      headers: {},
      body: '',
      body_bytes: null,
      fraises: [],
      matched_secret: null,
      repeated_by: [],
      replayed_by: null,
    });
  });

  it('always prints the three pairs of percentiles', () => {
    const stats = statsJson(
      Stats.fromPartial({ total: 2, succeeded: 1, successRate: 0.5, durationMs: { p50: 10 } }),
    );
    expect(stats).to.deep.equal({
      total: 2,
      succeeded: 1,
      failed: 0,
      rolled_back: 0,
      cancelled: 0,
      superseded: 0,
      success_rate: 0.5,
      duration_ms: { p50: 10, p95: null },
      lead_time_ms: { p50: null, p95: null },
      time_to_restore_ms: { p50: null, p95: null },
    });
    expect(
      statsJson(Stats.fromPartial({ durationMs: {}, leadTimeMs: {}, timeToRestoreMs: {} })),
    ).to.have.property('success_rate', null);
  });

  it('prints bytes as text', () => {
    expect(toJson({ data: Buffer.from('grün\n') })).to.deep.equal({ data: 'grün\n' });
  });

  describe('of a watched deployment', () => {
    it('tells when the deployment itself changed', () => {
      const event = watchEventJson(changed(4, { status: 'running' }));
      expect(event).to.deep.include({ number: 4, at: '2026-11-23T12:00:04.000Z', event: 'deployment' });
      expect(event).to.have.nested.property('deployment.status', 'running');
    });

    it('flattens what happened on a host into one object', () => {
      expect(watchEventJson(heard(5, 'web-1', stepFinished('health', 900, UNHEALTHY)))).to.deep.equal({
        number: 5,
        at: '2026-11-23T12:00:05.000Z',
        event: 'step_finished',
        host: 'web-1',
        phase: 'release',
        run_id: 'r_web-1_PHASE_RELEASE',
        seq: 5,
        step: 'health',
        attempt: 1,
        outcome: 'failed',
        reason: WHY,
        duration_ms: 900,
        result: null,
        log_bytes: 0,
        log_truncated: false,
      });
      expect(watchEventJson(heard(6, 'db', runStarted, Phase.MIGRATE_DOWN))).to.deep.include({
        event: 'run_started',
        phase: 'migrate_down',
      });
      expect(watchEventJson(heard(7, 'web-1', stepNote('health', '503')))).to.deep.include({
        code: 'health_attempt',
        facts: { attempt: '1' },
      });
    });

    it('keeps the number of an event it does not know', () => {
      expect(watchEventJson({ number: 8, at: NOW, event: undefined })).to.deep.equal({
        number: 8,
        at: '2026-11-23T12:00:00.000Z',
        event: null,
      });
      expect(watchEventJson(heard(9, 'web-1', undefined))).to.deep.include({
        number: 9,
        event: null,
        host: 'web-1',
      });
    });
  });
});
