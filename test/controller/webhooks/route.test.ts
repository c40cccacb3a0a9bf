import { expect } from 'chai';
import { LiveFraise } from '../../../proto/gen/fraisier/v1/agent.js';
import { parseFraises } from '../../../controller/fraises/parse-fraises.js';
import type { BranchPush, PushEvent, PushEvents } from '../../../controller/webhooks/push-event.js';
import { routeDelivery } from '../../../controller/webhooks/route-delivery.js';
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
    headMessage: null,
    changedPaths: null,
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

describe('a pull request', () => {
  it('deploys nothing, whatever happened to it', () => {
    const repositoryUrls = ['https://github.com/acme/shop'] as const;
    expect(
      routed({ ...PUSHED, kind: 'pull_request', number: 12, action: 'closed', repositoryUrls }),
    ).to.equal('not_a_push: pull request 12 (closed) deploys nothing; its merge is told by a push');
    expect(routed({ ...PUSHED, kind: 'pull_request', number: null, action: '', repositoryUrls })).to.match(
      /: a pull request \(changed\) deploys nothing/,
    );
  });
});

const ASKING = parseFraises(
  `
fraises:
  site:
    type: api
    repository: https://Git.example.com/Acme/Site
    environments:
      release: { branch: "release/*", app_path: /srv/a, systemd_service: a.service }
      marked: { branch: main, skip_marker: true, app_path: /srv/b, systemd_service: b.service }
      part: { branch: main, tags: "v*", paths: ["services/site/**", "*.md"], app_path: /srv/c, systemd_service: c.service }
`,
  'fraises.yaml',
).configuration;

describe('a push to a repository whose environments ask for more', () => {
  const pushed = (more: Partial<BranchPush> = {}): BranchPush => ({
    ...PUSHED,
    kind: 'push',
    branch: 'main',
    commit: COMMIT,
    before: 'b'.repeat(40),
    forced: false,
    headMessage: 'Mend it',
    changedPaths: ['services/site/index.ts'],
    repositoryUrls: ['git@git.example.com:acme/site.git'],
    ...more,
  });
  const outcome = (events: PushEvents): { to: string[]; said: string[] } => {
    const found = routeDelivery(ASKING, events, []);
    if ('ignored' in found) return { to: [], said: [`${found.ignored.code}: ${found.ignored.message}`] };
    return {
      to: found.targets.map((one) => `${one.environment} ${one.event.commit.charAt(0)}`),
      said: [
        ...found.remarks.map((one) => `${one.code}: ${one.message}`),
        ...found.targets.flatMap(({ unsure }) => (unsure === null ? [] : [`must ask: ${unsure}`])),
      ],
    };
  };

  it('goes to every branch of a pattern', () => {
    expect(outcome([pushed({ branch: 'release/1.2' })]).to).to.deep.equal(['release c']);
    expect(outcome([pushed({ branch: 'release/1/2' })]).said[0]).to.match(
      /^no_target: .*branches that are deployed: release\/\*, main$/,
    );
  });

  it('is left out where its head commit says so and the environment lets it', () => {
    const marked = pushed({ headMessage: 'Mend it\n\n[Skip Deploy]' });
    expect(outcome([marked])).to.deep.equal({
      to: ['part c'],
      said: ['skip_marker: site marked was left out: the head commit says [skip deploy]'],
    });
    expect(outcome([pushed({ headMessage: null })]).to).to.deep.equal(['marked c', 'part c']);
  });

  it('is left out where nothing changed in the paths', () => {
    const unchanged = 'site part was left out: nothing changed in its paths (services/site/**, *.md)';
    for (const changedPaths of [[], ['services/shop/index.ts'], ['docs/a.md']]) {
      expect(outcome([pushed({ changedPaths })])).to.deep.equal({
        to: ['marked c'],
        said: [`paths_unchanged: ${unchanged}`],
      });
    }
    expect(outcome([pushed({ changedPaths: ['README.md', 'x'] })])).to.deep.equal({
      to: ['marked c', 'part c'],
      said: [],
    });
  });

  it('is unsure where only the repository can tell what changed', () => {
    for (const [more, why] of [
      [{ changedPaths: null }, 'the delivery does not name every path'],
      [{ forced: true }, 'the push was forced'],
      [{ before: '0'.repeat(40) }, 'the branch is new'],
      [{ forced: null, changedPaths: [] }, 'the delivery does not say whether the push was forced'],
    ] as const) {
      expect(outcome([pushed({ ...more })])).to.deep.equal({
        to: ['marked c', 'part c'],
        said: [`must ask: ${why}`],
      });
    }
  });

  it('is ignored with every reason when it is left out everywhere', () => {
    const both = pushed({ headMessage: '[skip deploy]', changedPaths: [] });
    expect(outcome([both])).to.deep.equal({
      to: [],
      said: [
        'skip_marker: site marked was left out: the head commit says [skip deploy]; ' +
          'site part was left out: nothing changed in its paths (services/site/**, *.md)',
      ],
    });
  });

  it('deploys each of its changes, but no commit twice to one environment', () => {
    const { repositoryUrls } = pushed();
    const tagged: PushEvent = { ...PUSHED, kind: 'tag', tag: 'v1', commit: COMMIT, repositoryUrls };
    const gone: PushEvent = { ...PUSHED, kind: 'branch_deleted', branch: 'topic', repositoryUrls };
    const other = pushed({ branch: 'release/1', commit: 'd'.repeat(40) });
    const unsure = pushed({ forced: true });
    for (const both of [
      [unsure, tagged],
      [tagged, unsure],
    ] as const)
      expect(outcome([...both]).said).to.deep.equal([]);
    expect(outcome([gone, pushed(), tagged, other]).to).to.deep.equal(['marked c', 'part c', 'release d']);
    expect(outcome([gone, { ...tagged, tag: 'x1' }, gone]).said).to.deep.equal([
      'branch_deleted: branch topic was deleted, which deploys nothing; ' +
        'no environment deploys tag x1 of this repository; tags that are deployed: v*',
    ]);
  });
});

describe('a repository of folders', () => {
  it('is told from one that differs in case', () => {
    const folder = parseFraises(
      'fraises: { a: { type: api, repository: /srv/git/Shop.git, environments: { x: { app_path: /srv/a, systemd_service: a.service } } } }',
      'fraises.yaml',
    ).configuration;
    expect(route(folder, push('main', '/srv/git/shop.git'), [])).to.have.property('ignored');
    expect(route(folder, push('main', 'file:///srv/git/Shop'), [])).to.have.property('targets');
  });
});
