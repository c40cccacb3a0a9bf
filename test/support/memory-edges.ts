import type { Edges } from '../../controller/deployments/edges.js';
import { memoryLedger, type MemoryLedger } from './memory-ledger.js';
import { NOON } from './builders.js';

/** Use cases over the memory ledger, with a clock that tests turn by hand. */
export interface MemoryEdges extends Edges {
  readonly memory: MemoryLedger;
  /** Turns the clock forward. */
  pass(seconds: number): void;
}

export const SAMPLE_CONFIGURATION = `
name: shop
git: { github: { webhook_secret: a-secret-of-some-length } }
fraises:
  checkout:
    type: api
    repository: https://github.com/acme/checkout.git
    environments:
      production:
        branch: main
        hosts: [web-1, web-2]
        app_path: /srv/checkout
        systemd_service: checkout.service
        health_check: { url: "http://127.0.0.1:8000/health" }
      staging:
        branch: develop
        hosts: { role: staging }
        app_path: /srv/checkout-staging
        systemd_service: checkout-staging.service
        health_check: { url: "http://127.0.0.1:8001/health" }
`;

/** A ledger with the sample configuration applied and the two hosts of its production here. */
export async function memoryEdges(configuration = SAMPLE_CONFIGURATION): Promise<MemoryEdges> {
  let now = NOON.getTime();
  let ids = 0;
  const memory = memoryLedger(() => new Date(now));
  const { ledger, waking } = memory;
  if (configuration !== '')
    await ledger.insertConfiguration({ text: configuration, fileName: 'fraises.yaml', appliedBy: 'ana' });
  for (const name of ['web-1', 'web-2']) {
    await ledger.enrolAgent({
      name,
      labels: {},
      certificateSerial: '01',
      certificateExpiresAt: new Date(now + 1e9),
    });
    await ledger.takeLease(name, {
      controllerId: 'c_1',
      leaseMs: 3_600_000,
      agentVersion: '0.1.0',
      bootId: 'b',
      instanceId: 'i',
      live: [],
    });
  }
  return {
    ledger,
    waking,
    memory,
    newId: (prefix) => `${prefix}_${(ids += 1)}`,
    environment: {},
    after: (_ms, act) => {
      const soon = setImmediate(act);
      return () => clearImmediate(soon);
    },
    leaseMs: 30_000,
    pass: (seconds) => {
      now += seconds * 1000;
    },
  };
}
