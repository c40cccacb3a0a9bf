import { expect } from 'chai';
import { examplePayloads, hostOf, signedExample } from '../../support/payloads.js';
import { chooseProvider, WEBHOOK_PROVIDERS } from '../../../controller/webhooks/choose-provider.js';

const PROVIDER_OF: Readonly<Record<string, string>> = {
  gitlab: 'gitlab',
  gitea: 'gitea',
  forgejo: 'gitea',
  gogs: 'gitea',
  'bitbucket-cloud': 'bitbucket',
  'bitbucket-data-center': 'bitbucket',
};

/** Where the repository of the examples lives. */
const BASE_URL: Readonly<Record<string, string>> = {
  'bitbucket-cloud': 'https://bitbucket.org',
  'bitbucket-data-center': 'https://bitbucket.example.com',
};

describe('every example', () => {
  for (const example of examplePayloads()) {
    const host = hostOf(example.file);

    it(`${example.file}: is recognised, verified and understood`, () => {
      const { headers, body } = signedExample(example, 'the second');
      const detecting = WEBHOOK_PROVIDERS.filter((one) => one.detect(headers)).map((one) => one.name);
      expect(detecting).to.deep.equal([PROVIDER_OF[host]]);
      const provider = chooseProvider(undefined, headers);
      expect(provider.verify(body, headers, ['the first', 'the second'])).to.deep.equal({ secretIndex: 1 });
      expect(provider.verify(body, headers, ['the first', ''])).to.equal(null);
      const { deliveryId, event } = provider.envelope(headers);
      expect(deliveryId).to.not.equal('');
      expect(event).to.not.equal('');
      const events = provider.parse(body, headers, BASE_URL[host] ?? '');
      expect(events).to.have.length(example.expected.length);
      for (const [i, expected] of example.expected.entries()) expect(events[i]).to.deep.include(expected);
    });

    it(`${example.file}: names its source, and keeps no secret header`, () => {
      expect(example.source).to.match(/^https:\/\/\S+$/);
      const { headers } = signedExample(example, 'secret');
      const provider = chooseProvider(undefined, headers);
      for (const name of provider.keptHeaders) expect(name).to.not.match(/token|signature|authorization/);
    });
  }

  it('tells of every kind of event, at every git host that has it', () => {
    const kindsOf = (host: string): string[] => {
      const ofHost = examplePayloads().filter((one) => hostOf(one.file) === host);
      return ofHost.flatMap((one) => one.expected.map((event) => String(event['kind'])));
    };
    for (const host of Object.keys(PROVIDER_OF)) {
      expect(kindsOf(host), host).to.include.members(['push', 'tag', 'pull_request']);
    }
    for (const host of Object.keys(BASE_URL)) {
      expect(kindsOf(host), host).to.include.members(['branch_deleted', 'tag_deleted', 'unknown']);
    }
    expect(kindsOf('bitbucket-data-center')).to.include('ping');
  });
});
