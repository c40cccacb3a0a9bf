import { expect } from 'chai';
import { LiveFraise } from '../../../proto/gen/fraisier/v1/agent.js';
import { parseFraises } from '../../../controller/fraises/parse-fraises.js';
import type { PushEvent } from '../../../controller/webhooks/push-event.js';
import { route } from '../../../controller/webhooks/route.js';

const CONFIGURATION = parseFraises(
  `
git: { provider: github, github: { webhook_secret: "a-secret-of-at-least-thirty-two-characters" } }
hosts: { web-1: {} }
fraises:
  shop:
    type: api
    repository: https://github.com/acme/shop.git
    environments:
      production: { branch: main, tags: "v*", hosts: [web-1], app_path: /srv/shop, systemd_service: shop.service }
      staging: { branch: develop, hosts: [web-1], app_path: /srv/shop-staging, systemd_service: shop-staging.service }
  worker:
    type: api
    repository: git@github.com:acme/shop.git
    environments:
      production: { branch: main, hosts: [web-1], app_path: /srv/worker, systemd_service: worker.service }
  old:
    type: api
    environments:
      production: { branch: main, hosts: [web-1], app_path: /srv/old, systemd_service: old.service }
branch_mapping:
  main: [{ fraise: shop, environment: production }, { fraise: shop, environment: staging }]
  release: [{ fraise: worker, environment: production }]
`,
  'fraises.yaml',
).configuration;

const PUSHED = { repositoryUrls: ['https://github.com/acme/shop'] as const, sender: 'anna', pushedAt: null };
const COMMIT = 'c'.repeat(40);

function push(branch: string, repository = 'https://github.com/acme/shop'): PushEvent {
  const repositoryUrls = ['https://elsewhere.example/x', repository] as const;
  return {
    ...PUSHED,
    kind: 'push',
    branch,
    commit: COMMIT,
    before: 'b'.repeat(40),
    forced: false,
    repositoryUrls,
  };
}

function tag(name: string, repository = 'https://github.com/acme/shop'): PushEvent {
  return { ...PUSHED, kind: 'tag', tag: name, commit: COMMIT, repositoryUrls: [repository] };
}

function routed(event: PushEvent, live: readonly LiveFraise[] = []): readonly string[] | string {
  const found = route(CONFIGURATION, event, live);
  if ('ignored' in found) return `${found.ignored.code}: ${found.ignored.message}`;
  for (const target of found.targets) expect(target.environmentConfig.name).to.equal(target.environment);
  return found.targets.map((target) => `${target.fraise}/${target.environment}`);
}

function live(fraise: string, environment: string, origin: string): LiveFraise {
  return LiveFraise.fromPartial({ fraise, environment, origin });
}

describe('a push to a branch', () => {
  it('goes to every environment of the repository with that branch or mapping, each once', () => {
    expect(routed(push('main'))).to.deep.equal(['shop/production', 'shop/staging', 'worker/production']);
    expect(routed(push('develop'))).to.deep.equal(['shop/staging']);
    expect(routed(push('release', 'ssh://git@github.com:22/Acme/Shop.git'))).to.deep.equal([
      'worker/production',
    ]);
  });

  it('of another repository goes nowhere, whatever its branch', () => {
    expect(routed(push('main', 'https://github.com/mallory/shop.git'))).to.match(
      /^unknown_repository: no fraise is deployed from/,
    );
  });

  it('that nobody deploys says which branches are deployed', () => {
    expect(routed(push('topic'))).to.equal(
      'no_target: no environment deploys branch topic of this repository; branches that are deployed: main, develop, release',
    );
    expect(routed(push('Main'))).to.match(/^no_target/);
  });

  it('finds fraises without a repository by the origin that their own hosts report', () => {
    const origin = 'https://github.com/acme/old.git';
    const pushed = push('main', origin);
    expect(routed(pushed, [live('old', 'production', 'git@github.com:acme/old')])).to.deep.equal([
      'old/production',
    ]);
    expect(routed(pushed)).to.match(/^unknown_repository/);
    expect(routed(pushed, [live('old', 'staging', origin), live('shop', 'production', origin)])).to.match(
      /^unknown_repository/,
    );
    expect(routed(push('main', ''), [live('old', 'production', '')])).to.match(/^unknown_repository/);
  });
});

describe('a tag', () => {
  it('goes to the environments whose pattern it matches', () => {
    expect(routed(tag('v1.2.3'))).to.deep.equal(['shop/production']);
  });

  it('never deploys as the branch of the same name', () => {
    expect(routed(tag('main'))).to.equal(
      'tag_push: no environment deploys tag main of this repository; tags that are deployed: v*',
    );
  });

  it('of a repository that deploys no tags says so', () => {
    const lives = [live('old', 'production', 'https://github.com/acme/old')];
    const found = route(CONFIGURATION, tag('v1', 'https://github.com/acme/old'), lives);
    expect(found)
      .to.have.nested.property('ignored.message')
      .that.matches(/tags that are deployed: none$/);
  });
});

describe('what is no push', () => {
  it('deploys nothing, and says why', () => {
    expect(routed({ ...PUSHED, kind: 'branch_deleted', branch: 'main' })).to.match(
      /^branch_deleted: branch main/,
    );
    expect(routed({ ...PUSHED, kind: 'tag_deleted', tag: 'v1' })).to.match(/^tag_push: tag v1 was deleted/);
    expect(routed({ kind: 'ping' })).to.match(/^not_a_push/);
    expect(routed({ kind: 'unknown', event: 'issues' })).to.equal(
      'unknown_event: only pushes deploy, this is: issues',
    );
  });

  it('deploys nothing where no branch is configured at all', () => {
    const bare = parseFraises(
      'fraises: { a: { type: api, repository: "https://github.com/acme/shop", environments: { x: { tags: "v*", app_path: /srv/a, systemd_service: a.service } } } }',
      'fraises.yaml',
    ).configuration;
    const found = route(bare, push('main'), []);
    expect(found)
      .to.have.nested.property('ignored.message')
      .that.matches(/branches that are deployed: none$/);
  });
});
