import { expect } from 'chai';
import { describeHealth } from '../../../controller/fraises/describe-health.js';
import { buildHealthCheck } from '../../../controller/fraises/build-health.js';
import type { Check, HealthCheck } from '../../../controller/fraises/fraises.js';
import { aHealthCheck, anHttpCheck } from '../../support/builders.js';
import { environmentWith, problemsOf, warningsOf, withSettings } from './samples.js';

const DEV = 'fraises.shop.environments.dev.health_check';

function checkOf(written: string, ...more: readonly string[]): HealthCheck | null {
  return environmentWith(`health_check: ${written}`, ...more).healthCheck;
}

function checksOf(written: string, ...more: readonly string[]): readonly Check[] {
  return checkOf(written, ...more)?.checks ?? [];
}

/** What is wrong with a health check, from its first line on; `dev` has a unit and an environment file. */
function faults(...lines: readonly string[]): string[] {
  return problemsOf(withSettings(`health_check: ${lines[0]}`, ...lines.slice(1))).map((line) =>
    line.replace(`${DEV}`, ''),
  );
}

const plain = { versionField: null } as const;

describe('a health check', () => {
  it('asks one address, with the defaults', () => {
    expect(checkOf('{ url: "http://localhost/" }')).to.deep.equal(
      aHealthCheck({ checks: [anHttpCheck({ url: 'http://localhost/', ...plain })] }),
    );
    expect(environmentWith().healthCheck).to.equal(null);
  });

  it('asks by address, port, command and systemd together, for the same time each', () => {
    const written =
      '{ url: "http://x/", tcp: "[::1]:80", command: "exit 0", user: me, systemd: true, timeout: 1s }';
    expect(checksOf(written, 'systemd_service: shop')).to.deep.equal([
      anHttpCheck({ url: 'http://x/', timeoutMs: 1000, ...plain }),
      { by: 'tcp', host: '::1', port: 80, timeoutMs: 1000 },
      { by: 'command', command: { shell: 'exit 0' }, user: 'me', timeoutMs: 1000 },
      { by: 'unit', unit: 'shop.service', timeoutMs: 1000 },
    ]);
    expect(checksOf('{ tcp: "db.internal:5432", systemd: false }')).to.deep.equal([
      { by: 'tcp', host: 'db.internal', port: 5432, timeoutMs: 5000 },
    ]);
  });

  it('asks several of a kind, each with its own time or that of all', () => {
    const written =
      '{ timeout: 2s, checks: [{ url: "http://a/", expect: { status: 204 } }, { url: "http://b/", timeout: 9s }] }';
    expect(checksOf(written)).to.deep.equal([
      anHttpCheck({ url: 'http://a/', statuses: [204], timeoutMs: 2000, ...plain }),
      anHttpCheck({ url: 'http://b/', timeoutMs: 9000, ...plain }),
    ]);
  });

  it('compares values of the answer as text', () => {
    const [check] = checksOf('{ url: "http://x/", expect: { json: { a.b: 1, ok: true, is: up } } }');
    expect(check).to.deep.include({ json: { 'a.b': '1', ok: 'true', is: 'up' } });
  });

  it('of a scheduled fraise looks at its timers', () => {
    expect(buildHealthCheck({ systemd: true }, 'scheduled', null)?.checks).to.deep.equal([
      { by: 'timers', timeoutMs: 5000 },
    ]);
    expect(buildHealthCheck({ systemd: true }, 'etl', null)?.checks).to.deep.equal([]);
  });

  it('takes its own times', () => {
    const times =
      '{ url: "http://x/", attempts: 3, delay: 1m, backoff: 2, start_grace: 5s, stable_for: 10s, deadline: 1h }';
    expect(checkOf(times)).to.deep.include({
      attempts: 3,
      delayMs: 60_000,
      backoff: 2,
      maxDelayMs: 60_000,
      startGraceMs: 5000,
      stableForMs: 10_000,
      deadlineMs: 3_600_000,
    });
    expect(checkOf('{ url: "http://x/", backoff: 2, max_delay: 4s }')?.maxDelayMs).to.equal(4000);
  });

  it('keeps ${NAME} in a header as it is, for the host to fill in', () => {
    const headers = 'headers: { Authorization: "Bearer ${TOKEN}", X-Who: "${WHO:-me}" }';
    const text = withSettings(`health_check: { url: "http://x/", ${headers} }`, 'environment_file: /etc/env');
    expect(problemsOf(text)).to.deep.equal([]);
    expect(warningsOf(text)).to.deep.equal([]);
    const [check] = checksOf(`{ url: "http://x/", ${headers} }`, 'environment_file: /etc/env');
    expect(check).to.deep.include({ headers: { Authorization: 'Bearer ${TOKEN}', 'X-Who': '${WHO:-me}' } });
    const whole = text.replace(
      '    environments:',
      '    health_check: { command: "echo ${A}" }\n    environments:',
    );
    expect(problemsOf(whole)).to.deep.equal([]);
  });
});

describe('what is wrong with a health check', () => {
  it('is nothing to look at, or a setting of something that is not looked at', () => {
    expect(faults('{ systemd: false, attempts: 3 }')).to.deep.equal([
      '7:9 : has nothing to look at; say url, tcp, command or systemd: true',
    ]);
    expect(faults('{ checks: [{ timeout: 3s }] }')).to.deep.equal([
      '7:34 .checks[0]: has nothing to look at; say url, tcp, command or systemd: true',
    ]);
    expect(faults('{ tcp: "x:1", expect: { status: 200 }, headers: {}, tls: {}, user: me }')).to.deep.equal([
      '7:37 .expect: has no meaning without url beside it',
      '7:62 .headers: has no meaning without url beside it',
      '7:75 .tls: has no meaning without url beside it',
      '7:84 .user: has no meaning without command beside it',
    ]);
    expect(faults('{ systemd: true }')).to.deep.equal([
      '7:25 .systemd: needs systemd_service: the unit to look at',
    ]);
    expect(faults('{ systemd: true }', 'systemd_service: shop')).to.deep.equal([]);
  });

  it('is what cannot be', () => {
    for (const [written, fault] of [
      ['{ tcp: "x" }', /tcp: must be host:port such as 127.0.0.1:5432/],
      ['{ tcp: "x:70000" }', /tcp: must be host:port/],
      ['{ command: [] }', /command: must not be empty/],
      ['{ url: "http://x/", expect: { status: 20 } }', /status: must be a whole number from 100 to 599/],
      ['{ url: "http://x/", expect: { status: ok } }', /status: must be a status from 100 to 599, or a list/],
      ['{ url: "http://x/", expect: { status: [] } }', /status: must not be empty/],
      ['{ url: "http://x/", expect: { json: { a: [] } } }', /json.a: must be text, a number, true or false/],
      ['{ url: "http://x/", headers: { "a b": c } }', /must be the name of a header/],
      ['{ url: "http://x/", headers: { a: "b\\nc" } }', /must be text without line breaks/],
      ['{ url: "http://x/", backoff: 0.5 }', /backoff: must be a number from 1 to 10/],
      ['{ url: "http://x/", checks: [{ url: "http://x/", delay: 3s }] }', /checks\[0\].delay: unknown key/],
      ['{ url: "http://x/", migration_field: a }', /migration_field: .*use expect: \{ json: … \}/],
    ] as const) {
      const found = faults(written);
      expect(found, written).to.have.length(1);
      expect(found[0]).to.match(fault);
    }
  });

  it('is two names for one thing', () => {
    expect(faults('{ url: "http://x/", attempts: 3, retries: 3 }')).to.deep.equal([
      "7:56 .retries: is the original's name for attempts; keep one of them",
    ]);
  });

  it('is a time that leaves none for another', () => {
    expect(faults('{ url: "http://x/", backoff: 2, delay: 9s, max_delay: 4s }')).to.deep.equal([
      '7:77 .max_delay: is shorter than delay',
    ]);
    expect(faults('{ url: "http://x/", start_grace: 5s, stable_for: 5s, deadline: 10s }')).to.deep.equal([
      '7:86 .deadline: leaves no time to look after start_grace and stable_for',
    ]);
    const text = withSettings('health_check: { url: "http://x/", max_delay: 4s }');
    expect(warningsOf(text)).to.deep.equal([`7:43 ${DEV}.max_delay: not used without backoff`]);
  });

  it('is a certificate where there is none, or two words about it', () => {
    expect(faults('{ url: "http://x/", tls: { server_name: x } }')).to.deep.equal([
      '7:43 .tls: needs an url that begins with https://',
    ]);
    expect(faults('{ url: "https://x/", tls: { ca_file: /a, insecure: true } }')).to.deep.equal([
      '7:64 .tls.insecure: stands beside ca_file; keep one of them',
    ]);
    const text = withSettings('health_check: { url: "https://x/", tls: { insecure: true } }');
    expect(warningsOf(text)).to.deep.equal([
      `7:61 ${DEV}.tls.insecure: the certificate is not looked at: anybody may answer`,
    ]);
  });

  it('is a header that nothing fills in, and a warning for one that looks like a secret', () => {
    expect(faults('{ url: "http://x/", headers: { Authorization: "${TOKEN}" } }')).to.deep.equal([
      '7:69 .headers.Authorization: needs an environment_file: ${…} is filled in from it, on the host',
    ]);
    const environmentFile = 'environment_file: /etc/env';
    expect(faults('{ url: "http://x/", headers: { A: "${to ken}" } }', environmentFile)).to.deep.equal([
      '7:57 .headers.A: has a malformed ${…}; write ${NAME} or ${NAME:-default}',
    ]);
    const text = withSettings(
      'health_check: { url: "http://x/", headers: { X-Api-Key: hunter2, Accept: "*/*" } }',
    );
    const [warned, ...more] = warningsOf(text);
    expect(more).to.deep.equal([]);
    expect(warned).to.match(
      /^7:65 .*headers.X-Api-Key: looks like a secret, and every version of this file is kept/,
    );
    expect(warned).not.to.include('hunter2');
  });

  it('is a template anywhere else', () => {
    const loose = /\$\{…\} is only filled in for webhook secrets.*headers of a health check/;
    expect(faults('{ url: "http://x/${A}" }')[0]).to.match(loose);
    expect(faults('{ command: [a, "${A}"] }')[0]).to.match(loose);
    expect(faults('{ url: "http://x/", expect: { body: "${A}" } }')[0]).to.match(loose);
  });
});

describe('a health check as text', () => {
  it('names every setting, a second check by its number', () => {
    const check = checkOf(
      '{ url: "https://x/", expect: { status: [200, 204], version_field: v, json: { a: 1 }, body: b }, headers: { X: y, ' +
        'A: "${B}" }, tls: { server_name: x }, tcp: "[::1]:80", command: [a, b c], user: me, systemd: true, backoff: 2, ' +
        'start_grace: 1s, deadline: 1h, checks: [{ tcp: "h:1" }, { url: "https://y/", tls: { insecure: true } }] }',
      'environment_file: /etc/env',
      'systemd_service: shop',
    );
    const parts = Object.entries(describeHealth(check)).filter(([, value]) => value !== null && value !== '');
    expect(
      Object.fromEntries(parts.map(([key, value]) => [key.replace('health_check.', ''), value])),
    ).to.deep.equal({
      url: 'https://x/',
      'expect.status': '200, 204',
      'expect.version_field': 'v',
      'expect.json': 'a=1',
      'expect.body': 'b',
      headers: 'X: …, A: ${B}',
      'tls.server_name': 'x',
      timeout: '5s',
      'tcp.2': '[::1]:80',
      'timeout.2': '5s',
      'command.3': 'a "b c"',
      'user.3': 'me',
      'timeout.3': '5s',
      'systemd.4': 'true',
      'timeout.4': '5s',
      'tcp.5': 'h:1',
      'timeout.5': '5s',
      'url.6': 'https://y/',
      'expect.status.6': '200',
      'tls.insecure.6': 'true',
      'timeout.6': '5s',
      attempts: '10',
      delay: '3s',
      backoff: '2',
      max_delay: '30s',
      start_grace: '1s',
      stable_for: '0ms',
      deadline: '1h',
    });
    expect(describeHealth(null)).to.deep.equal({});
    expect(describeHealth(buildHealthCheck({ systemd: true }, 'scheduled', null))).to.include({
      'health_check.systemd': 'true',
      'health_check.backoff': null,
      'health_check.start_grace': null,
      'health_check.deadline': null,
    });
  });
});
