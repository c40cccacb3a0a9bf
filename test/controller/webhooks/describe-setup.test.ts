import { expect } from 'chai';
import { parseFraises } from '../../../controller/fraises/parse-fraises.js';
import { describeSetup } from '../../../controller/webhooks/describe-setup.js';
import { CONFIGURATION, OLD_SECRET, SECRET } from './support.js';

const PLACE = { environment: { WEBHOOK_SECRET: SECRET }, url: 'https://deploy.example.com', note: '' };

function applied(text: string) {
  return { revision: 1, configuration: parseFraises(text, 'fraises.yaml').configuration };
}

describe('setting a webhook up', () => {
  it('is told with the address, the events and where the secret stands, never with the secret', () => {
    const setup = describeSetup(applied(CONFIGURATION), 'shop', PLACE);
    expect(setup).to.deep.include({
      fraise: 'shop',
      repository: 'https://github.com/acme/shop.git',
      provider: 'github',
      url: 'https://deploy.example.com/webhook/github',
      contentType: 'application/json',
      events: ['push'],
      secrets: [
        { path: 'git.github.webhook_secret[0]', variables: ['WEBHOOK_SECRET'], usable: true },
        { path: 'git.github.webhook_secret[1]', variables: [], usable: true },
      ],
    });
    expect(JSON.stringify(setup)).to.not.include(SECRET).and.not.include(OLD_SECRET);
    expect(setup.steps).to.not.equal([]);
  });

  it('says which secret cannot be used, and why the address may be another', () => {
    const setup = describeSetup(applied(CONFIGURATION), 'shop', {
      ...PLACE,
      environment: {},
      note: 'behind a proxy',
    });
    expect(setup.urlNote).to.equal('behind a proxy');
    expect(setup.secrets[0]?.usable).to.equal(false);
  });

  for (const [provider, event] of [
    ['gitlab', 'Push events'],
    ['gitea', 'Push'],
    ['bitbucket', 'Repository push (Data Center: repo:refs_changed)'],
  ] as const) {
    it(`at ${provider} uses its words, and says when no secret is configured`, () => {
      const text = CONFIGURATION.replace(
        /^git: .*$/m,
        `git: { provider: ${provider}, ${provider}: {} }`,
      ).replace(/ +repository: .*\n/, '');
      const setup = describeSetup(applied(text), 'shop', PLACE);
      expect(setup.events[0]).to.equal(event);
      expect(setup).to.deep.include({
        provider,
        repository: '',
        secrets: [],
        url: `https://deploy.example.com/webhook/${provider}`,
      });
    });
  }

  it('at a git host of which nothing is configured has no secret either', () => {
    const text = CONFIGURATION.replace(/^git: .*$/m, 'git: { provider: gitlab }');
    expect(describeSetup(applied(text), 'shop', PLACE).secrets).to.deep.equal([]);
  });

  it('of a fraise with a secret of its own names that one', () => {
    const own = CONFIGURATION.replace(
      '    type: api\n',
      '    type: api\n    webhook_secret: ${SHOP_SECRET}\n',
    );
    const { secrets } = describeSetup(applied(own), 'shop', PLACE);
    expect(secrets.every((one) => one.path.startsWith('fraises.shop.') && !one.usable)).to.equal(true);
  });

  it('of an unknown fraise, or without a configuration, is refused', () => {
    expect(() => describeSetup(applied(CONFIGURATION), 'cart', PLACE)).to.throw('there is no fraise cart');
    expect(() => describeSetup(null, 'shop', PLACE)).to.throw('no configuration was ever applied');
  });
});
