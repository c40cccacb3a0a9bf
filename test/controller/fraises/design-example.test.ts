import { expect } from 'chai';
import { problemsOf, warningsOf } from './samples.js';

/** The documented file of the whole design, more than this version does. */
const WHOLE_DESIGN = `
name: shop
git:
  provider: github
  github:    { webhook_secret: "\${GITHUB_WEBHOOK_SECRET}" }
  gitlab:    { base_url: https://gitlab.example.com, webhook_secret: "\${GITLAB_WEBHOOK_SECRET}" }
  gitea:     { base_url: https://git.example.com,    webhook_secret: "\${GITEA_WEBHOOK_SECRET}" }
  bitbucket: { webhook_secret: "\${BITBUCKET_WEBHOOK_SECRET}" }
hosts:
  web-1: { labels: { role: web, zone: a } }
  web-2: { labels: { role: web, zone: b } }
  batch-1: {}
fraises:
  checkout:
    type: api
    description: The checkout API
    repository: https://github.com/acme/checkout.git
    paths: ["services/checkout/**"]
    install: { command: [npm, ci, --omit=dev], timeout: 5m }
    environments:
      production:
        branch: main
        hosts: { role: web }
        app_path: /srv/checkout
        layout: releases
        shared: [.env, uploads]
        user: checkout
        environment_file: /etc/checkout/env
        systemd_service: checkout.service
        database:
          strategy: apply
          tool: alembic
          on: web-1
        health_check:
          url: http://127.0.0.1:8000/health
          attempts: 10
          delay: 3s
          timeout: 5s
          expect: { status: 200, version_field: commit }
          stable_for: 5s
        rollout: { strategy: rolling, batch: 1, canary: 1, bake: 30s, max_failures: 0, on_failure: rollback }
        hooks:   { before_deploy: a, before_restart: b, after_health: c, on_failure: d, on_rollback: e }
        keep_releases: 5
        timeout: 10m
  nightly:
    type: etl
    repository: https://github.com/acme/etl.git
    environments:
      production: { branch: main, hosts: [batch-1], app_path: /srv/etl, script_path: run.py, run: verify }
  reports:
    type: scheduled
    repository: https://github.com/acme/reports.git
    environments:
      production:
        branch: main
        hosts: [batch-1]
        app_path: /srv/reports
        jobs:
          daily:  { systemd_service: reports-daily.service,  systemd_timer: reports-daily.timer }
branch_mapping:
  main: [{ fraise: checkout, environment: production }]
`;

describe('the documented file of the whole design', () => {
  it('is good as it stands, without a warning', () => {
    expect(problemsOf(WHOLE_DESIGN)).to.deep.equal([]);
    expect(warningsOf(WHOLE_DESIGN)).to.deep.equal([]);
  });
});
