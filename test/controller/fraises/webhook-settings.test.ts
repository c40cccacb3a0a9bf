import { expect } from 'chai';
import { differences } from '../../../controller/fraises/differences.js';
import { allEnvironments } from '../../../controller/fraises/fraises.js';
import { configurationOf, environmentWith, problemsOf, warningsOf, withSettings } from './samples.js';

const CHECKED = 'health_check: { url: "http://localhost/" }';

describe('the branch of an environment', () => {
  it('is exact, or a pattern that is kept apart', () => {
    expect(environmentWith('branch: release/1')).to.include({ branch: 'release/1', branchPattern: null });
    for (const pattern of ['release/*', 'v?', '**']) {
      expect(environmentWith(`branch: "${pattern}"`)).to.include({ branch: null, branchPattern: pattern });
    }
  });

  it('is main unless tags say what is deployed', () => {
    expect(environmentWith()).to.include({ branch: 'main', branchPattern: null });
    expect(environmentWith('tags: "v*"')).to.include({ branch: null, branchPattern: null });
  });

  it('shows a change from one to the other', () => {
    const [before, after] = ['branch: main', 'branch: "release/*"'].map((line) =>
      configurationOf(withSettings(line)),
    ) as [ReturnType<typeof configurationOf>, ReturnType<typeof configurationOf>];
    expect(differences(before, after)).to.deep.equal(['~ shop dev: branch main -> release/*']);
  });
});

describe('what an environment asks of a push', () => {
  it('is nothing unless it says so', () => {
    expect(environmentWith()).to.deep.include({ paths: [], skipMarker: false, webhookSecrets: [] });
    expect(environmentWith('paths: ["a/**"]', 'skip_marker: true')).to.deep.include({
      paths: ['a/**'],
      skipMarker: true,
    });
    expect(warningsOf(withSettings(CHECKED, 'paths: ["a/**"]'))).to.deep.equal([]);
  });

  it('is shown when it changes', () => {
    const after = configurationOf(withSettings('skip_marker: true'));
    expect(differences(configurationOf(withSettings()), after)).to.deep.equal([
      '~ shop dev: skip_marker none -> true',
    ]);
  });
});

describe('the look for missed pushes', () => {
  const found = (...lines: string[]) => {
    const { missedPushCheckMs, missedPush } = environmentWith(...lines);
    return { missedPushCheckMs, missedPush };
  };

  it('is off unless somebody asks for it', () => {
    expect(found()).to.deep.equal({ missedPushCheckMs: null, missedPush: 'record' });
    expect(found('missed_push_check: 5m', 'missed_push: deploy')).to.deep.equal({
      missedPushCheckMs: 300_000,
      missedPush: 'deploy',
    });
  });

  it('holds for every fraise of a git host that says nothing else', () => {
    const git = 'git: { gitlab: { missed_push_check: 1m, missed_push: deploy } }\n';
    const of = (line: string) => {
      const [first] = allEnvironments(configurationOf(git + withSettings(CHECKED, line)));
      return [first?.missedPushCheckMs, first?.missedPush];
    };
    expect(of('provider: gitlab')).to.deep.equal([60_000, 'deploy']);
    expect(of('provider: github')).to.deep.equal([null, 'record']);
    const own = configurationOf(
      git + withSettings(CHECKED, 'provider: gitlab', 'missed_push_check: 90s', 'missed_push: record'),
    );
    expect(allEnvironments(own)[0]).to.deep.include({ missedPushCheckMs: 90_000, missedPush: 'record' });
  });

  it('is not made too often', () => {
    expect(() => configurationOf(withSettings(CHECKED, 'missed_push_check: 9s'))).to.throw(
      /missed_push_check: must be 10s or longer/,
    );
  });

  it('is shown when it changes', () => {
    const after = configurationOf(withSettings('missed_push_check: 5m'));
    expect(differences(configurationOf(withSettings()), after)).to.deep.equal([
      '~ shop dev: missed_push_check none -> 5m',
      '~ shop dev: missed_push none -> record',
    ]);
  });
});

describe('the own webhook secret of a fraise', () => {
  const text = (value: string, more = ''): string =>
    withSettings(CHECKED).replace('    type: api\n', `    type: api\n    webhook_secret: ${value}\n`) + more;
  const secretsOf = (file: string) => allEnvironments(configurationOf(file)).map((one) => one.webhookSecrets);

  it('is one or several, and holds for every environment that has none of its own', () => {
    expect(secretsOf(text('"${SHOP}"'))).to.deep.equal([
      [{ template: '${SHOP}', path: 'fraises.shop.webhook_secret' }],
    ]);
    const other = '      own: { app_path: /srv/o, webhook_secret: ["${A}", "${B}"] }\n';
    expect(secretsOf(text('"${SHOP}"', other))[1]).to.deep.equal([
      { template: '${A}', path: 'fraises.shop.environments.own.webhook_secret[0]' },
      { template: '${B}', path: 'fraises.shop.environments.own.webhook_secret[1]' },
    ]);
  });

  it('is checked as that of a git host', () => {
    expect(problemsOf(text('"${SHOP"'))).to.deep.equal([
      '4:21 fraises.shop.webhook_secret: has a malformed ${…}; write ${NAME} or ${NAME:-default}',
    ]);
    expect(problemsOf(text('["", "${A}"]'))).to.deep.equal([
      '4:22 fraises.shop.webhook_secret[0]: must not be empty',
    ]);
    expect(problemsOf(text('5'))).to.deep.equal([
      '4:21 fraises.shop.webhook_secret: must be text or a list of texts',
    ]);
    expect(warningsOf(text('short'))).to.deep.equal([
      '4:21 fraises.shop.webhook_secret: is short; a secret should have 16 characters or more',
    ]);
  });

  it('is said to have changed, and never shown', () => {
    const [before, after] = ['one-secret-of-the-shop', 'another-secret-of-the-shop'].map((one) =>
      configurationOf(text(one)),
    ) as [ReturnType<typeof configurationOf>, ReturnType<typeof configurationOf>];
    expect(differences(before, after)).to.deep.equal(['~ shop dev: webhook_secret changed']);
    expect(differences(before, before)).to.deep.equal([]);
    expect(differences(null, after).join()).to.not.include('secret');
  });
});
