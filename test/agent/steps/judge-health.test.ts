import { expect } from 'chai';
import { fieldOf, isVersion, judgeResponse } from '../../../agent/steps/judge-health.js';
import { judgeCommand } from '../../../agent/steps/probe-command.js';
import { HttpProbe } from '../../../proto/gen/fraisier/v1/plan.js';
import { reason } from '../../../proto/error-codes.js';

const COMMIT = 'c0ffee'.repeat(6) + 'c0ff';

const judge = (
  status: number,
  body: string,
  wanted: Partial<HttpProbe> = {},
): ReturnType<typeof judgeResponse> => judgeResponse(status, body, HttpProbe.fromPartial(wanted));

describe('what an answer means', () => {
  it('is 200 unless other statuses are wanted', () => {
    expect(judge(200, '')).to.include({ healthy: true, answer: '200' });
    expect(judge(204, '', { expectStatuses: [200, 204] })).to.include({ healthy: true });
    expect(judge(200, 'x', { expectStatuses: [204] })).to.include({
      healthy: false,
      answer: '200 x (wanted 204)',
    });
    expect(judge(503, '', { expectStatuses: [200, 204] }).answer).to.equal('503 (wanted 200 or 204)');
  });

  it('is a mistake of the configuration where a login is asked for, unless that is wanted', () => {
    for (const status of [401, 403]) {
      expect(judge(status, 'who are you?')).to.include({
        code: 'health_misconfigured',
        answer: `${status} who are you? (wanted 200)`,
      });
      expect(judge(status, '').mend).to.include('give the check `headers`');
      expect(judge(status, '', { expectStatuses: [status] }).healthy).to.equal(true);
    }
    expect(judge(404, '')).to.include({ healthy: false, code: 'health_check_failed', mend: '' });
  });

  it('needs the version field where one is named', () => {
    const version = { versionField: 'commit' };
    expect(judge(200, 'ok', version)).to.include({
      healthy: false,
      code: 'health_check_failed',
      answer: '200 ok (it has no field "commit")',
    });
    expect(judge(200, '{"commit": "x"}', version)).to.include({ healthy: true, servedVersion: 'x' });
    expect(judge(200, '{"commit": "0ld"}', { ...version, expectVersion: COMMIT })).to.include({
      healthy: false,
      code: 'wrong_version',
      servedVersion: '0ld',
      answer: `it serves version 0ld, not ${COMMIT}`,
    });
  });

  it('needs every field and text that is named, and says which it misses', () => {
    const wanted = { jsonEquals: { 'db.ok': 'true', 'db.lag': '0' }, bodyContains: 'ready' };
    expect(judge(200, '{"db": {"ok": true, "lag": 0}, "is": "ready"}', wanted).healthy).to.equal(true);
    expect(judge(200, '{"db": {"ok": true, "lag": 0}}', wanted).answer).to.include(
      '(it does not contain "ready")',
    );
    expect(judge(200, '{"db": {"ok": false}}', wanted).answer).to.equal(
      '200 {"db": {"ok": false}} (its field "db.ok" is "false", not "true")',
    );
    expect(judge(200, '{"db": {"ok": true}}', wanted)).to.include({
      healthy: false,
      code: 'health_check_failed',
      answer: '200 {"db": {"ok": true}} (it has no field "db.lag")',
    });
    const both = { ...wanted, versionField: 'commit' };
    expect(judge(200, '{"commit": "abc"}', both)).to.include({ healthy: false, servedVersion: 'abc' });
  });

  it('takes the beginning of a version from seven characters on', () => {
    expect(isVersion(COMMIT, COMMIT)).to.equal(true);
    expect(isVersion(COMMIT.slice(0, 7), COMMIT)).to.equal(true);
    expect(isVersion(COMMIT.slice(0, 6), COMMIT)).to.equal(false);
    expect(isVersion('', COMMIT)).to.equal(false);
    expect(isVersion(`${COMMIT}0`, COMMIT)).to.equal(false);
    expect(isVersion('v1', 'v1')).to.equal(true);
  });

  it('finds a field by a dotted path, and nothing that is not there', () => {
    expect(fieldOf('{"a": {"b": 1}}', 'a.b')).to.equal('1');
    expect(fieldOf('{"a": [{"b": true}]}', 'a.0.b')).to.equal('true');
    for (const [body, path] of [
      ['{"a": {"b": {}}}', 'a.b'],
      ['{"a": 1}', 'a.b'],
      ['{}', 'toString'],
      ['no', 'a'],
      ['null', 'a'],
    ]) {
      expect(fieldOf(body ?? '', path ?? '')).to.equal(null);
    }
  });
});

describe('what the end of a command means', () => {
  it('is healthy for 0 alone, in its own last words', () => {
    expect(judgeCommand({ ended: 'exited', exitCode: 0, output: 'a\nqueue is empty\n' })).to.include({
      healthy: true,
      answer: 'queue is empty',
    });
    expect(judgeCommand({ ended: 'exited', exitCode: 0, output: '' }).answer).to.equal('exited with 0');
    expect(judgeCommand({ ended: 'exited', exitCode: 3, output: 'lagging\n' })).to.include({
      healthy: false,
      code: 'health_check_failed',
      answer: 'exited with 3: lagging',
    });
    expect(judgeCommand({ ended: 'exited', exitCode: 1, output: '' }).answer).to.equal('exited with 1');
  });

  it('is a mistake where the command is not there or cannot be started', () => {
    for (const exitCode of [126, 127]) {
      expect(judgeCommand({ ended: 'exited', exitCode, output: '' }).code).to.equal('health_misconfigured');
    }
    expect(judgeCommand({ ended: 'not_found', message: 'no such file' })).to.include({
      code: 'health_misconfigured',
      answer: 'no such file',
    });
  });

  it('is not yet healthy when it was ended or lost', () => {
    expect(judgeCommand({ ended: 'signalled', signal: 'SIGKILL' }).answer).to.equal(
      'it was ended by SIGKILL',
    );
    const why = reason('timed_out', 'no end within 5 ms');
    expect(judgeCommand({ ended: 'stopped', reason: why })).to.include({
      healthy: false,
      answer: why.message,
    });
    expect(judgeCommand({ ended: 'unknown', reason: why }).code).to.equal('health_check_failed');
  });
});
