import { expect } from 'chai';
import { differences } from '../../../controller/fraises/differences.js';
import type { Configuration } from '../../../controller/fraises/fraises.js';
import { checkFraises, parseFraises } from '../../../controller/fraises/parse-fraises.js';
import { addressStatus } from '../../../controller/statuses/address-status.js';

const TEMPLATE = '"${GITHUB_STATUS_TOKEN}"';
const QUIET = 'webhook_secret: "a-secret-of-some-length"';

function written(git: string, repository = 'repository: https://github.com/acme/checkout.git'): string {
  const environment = '{ app_path: /srv/a, systemd_service: a.service, health_check: { systemd: true } }';
  return [
    `git: { github: { ${[QUIET, git].filter((part) => part !== '').join(', ')} } }`,
    `fraises: { checkout: { type: api, ${repository}, environments: { staging: ${environment} } } }`,
  ].join('\n');
}

function parsed(...file: Parameters<typeof written>) {
  return parseFraises(written(...file), 'fraises.yaml');
}

describe('the settings of commit statuses', () => {
  it('are a token by the name of its variable, and a switch', () => {
    const token = (git: string) => parsed(git).configuration.gitHosts.github?.statusToken;
    const place = { template: '${GITHUB_STATUS_TOKEN}', path: 'git.github.status_token' };
    expect(token('')).to.equal(null);
    expect(token(`status_token: ${TEMPLATE}`)).to.deep.equal(place);
    expect(token(`status_token: ${TEMPLATE}, statuses: true`)).to.deep.equal(place);
    expect(token(`status_token: ${TEMPLATE}, statuses: false`)).to.equal(null);
  });

  it('never are the token itself, which is not repeated either', () => {
    for (const value of ['"ghp_0123456789abcdef"', '"x${A}"', '"${A:-ghp_0123}"', '"${A"']) {
      const error = JSON.stringify(checkFraises(written(`status_token: ${value}`)).problems);
      expect(error).to.match(/git\.github\.status_token.*must be \$\{NAME\}, a variable/);
      expect(error).not.to.match(/ghp_/);
    }
  });

  it('warn when statuses are wanted and there is no token', () => {
    expect(parsed('statuses: true').warnings.join()).to.match(
      /git\.github\.statuses: has no effect without a status_token/,
    );
    expect(parsed('statuses: false').warnings).to.deep.equal([]);
  });

  it('show in differences that the token changed', () => {
    const [none, some] = [parsed(''), parsed(`status_token: ${TEMPLATE}`)];
    expect(differences(none.configuration, some.configuration)).to.deep.equal([
      '~ git github: status_token changed',
    ]);
    expect(differences(some.configuration, some.configuration)).to.deep.equal([]);
  });
});

describe('the address of a status', () => {
  const about = { fraise: 'checkout', environment: 'staging', commit: 'c'.repeat(40) };
  const address = ({ configuration }: { configuration: Configuration }, of = about) =>
    addressStatus(configuration, of);
  const git = `status_token: ${TEMPLATE}`;

  it('is the repository at its git host', () => {
    expect(address(parsed(git))).to.deep.include({
      lane: 'https://api.github.com',
      place: { baseUrl: 'https://github.com', repository: 'acme/checkout', commit: about.commit },
    });
  });

  it('is nobody’s when the repository is elsewhere, unknown, or not configured any more', () => {
    const elsewhere = parsed(git, 'repository: https://example.com/acme/checkout.git');
    const none = 'checkout staging has no repository at https://github.com';
    expect(address(elsewhere)).to.deep.equal({ unwanted: none });
    expect(address(parsed(git, 'description: no repository'))).to.deep.equal({ unwanted: none });
    const gone = { unwanted: 'checkout gone is not configured any more' };
    expect(address(parsed(git), { ...about, environment: 'gone' })).to.deep.equal(gone);
    expect(addressStatus({ ...parsed(git).configuration, gitHosts: {} }, about)).to.deep.equal({
      unwanted: 'git.github has no status_token, or statuses: false',
    });
  });
});
