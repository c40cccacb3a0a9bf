import { expect } from 'chai';
import { faultsOf } from '../../scripts/check-imports.js';

/** file, what it imports, and the words of the refusal. */
const FORBIDDEN: readonly (readonly [string, string, string])[] = [
  ['proto/x.ts', "import { a } from '../controller/main.js';", 'controller/main.ts'],
  ['proto/x.ts', "import type { A } from '../agent/policy.js';", 'agent/policy.ts'],
  ['proto/x.ts', "import { a } from '../cli/client.js';", 'cli/client.ts'],
  ['proto/x.ts', "import knex from 'knex';", 'knex'],
  ['controller/db/x.ts', "import { a } from '../../agent/journal.js';", 'agent/journal.ts'],
  ['controller/main.ts', "import { a } from '../cli/client.js';", 'cli/client.ts'],
  ['controller/main.ts', "const { a } = await import('../agent/main.js');", 'agent/main.ts'],
  ['agent/x.ts', "import { a } from '../controller/logger.js';", 'controller/logger.ts'],
  [
    'agent/x.ts',
    "import type { A } from '../controller/deployments/lifecycle.js';",
    'controller/deployments/lifecycle.ts',
  ],
  ['agent/x.ts', "import { a } from '../cli/client.js';", 'cli/client.ts'],
  ['agent/x.ts', "import pg from 'pg';", 'pg'],
  ['cli/x.ts', "import { a } from '../agent/exec/exec.js';", 'agent/exec/exec.ts'],
  ['cli/x.ts', "import { a } from '../agent/main.js';", 'agent/main.ts like this'],
  ['cli/x.ts', "import { a } from '../controller/main.js';", 'controller/main.ts like this'],
  [
    'cli/commands/x.ts',
    "const { a } = await import('../../controller/db/database.js');",
    'controller/db/database.ts',
  ],
  ['cli/x.ts', "import express from 'express';", 'express'],
  ['controller/fraises/x.ts', "import knex from 'knex';", 'knex'],
  ['controller/fraises/x.ts', "import { readFile } from 'node:fs/promises';", 'node:fs/promises'],
  [
    'controller/fraises/x.ts',
    "import { a } from '../deployments/plan.js';",
    'controller/deployments/plan.ts',
  ],
  ['controller/deployments/decide.ts', "import pino from 'pino';", 'pino'],
  [
    'controller/deployments/decide.ts',
    "import { a } from './advance.js';",
    'controller/deployments/advance.ts',
  ],
  ['controller/deployments/plan.ts', "import { randomUUID } from 'node:crypto';", 'node:crypto'],
  ['controller/recipes/api.ts', "import express from 'express';", 'express'],
  [
    'controller/recipes/api.ts',
    "import { a } from '../deployments/request-deployment.js';",
    'request-deployment.ts',
  ],
  ['controller/webhooks/route.ts', "import { a } from './router.js';", 'controller/webhooks/router.ts'],
  ['controller/deployments/advance.ts', "import knex from 'knex';", 'knex'],
  [
    'controller/deployments/advance.ts',
    "import { a } from '../db/database.js';",
    'controller/db/database.ts',
  ],
  ['controller/deployments/advance.ts', "import * as grpc from '@grpc/grpc-js';", '@grpc/grpc-js'],
  ['controller/deployments/advance.ts', "import express from 'express';", 'express'],
  [
    'controller/deployments/advance.ts',
    "import { a } from '../grpc/server.js';",
    'controller/grpc/server.ts',
  ],
  [
    'controller/db/x.ts',
    "import { a } from '../deployments/advance.js';",
    'controller/deployments/advance.ts',
  ],
  ['controller/db/x.ts', "import { a } from '../webhooks/router.js';", 'controller/webhooks/router.ts'],
  ['controller/db/x.ts', "import express from 'express';", 'express'],
  ['controller/webhooks/x.ts', "import knex from 'knex';", 'knex'],
  ['controller/webhooks/x.ts', "import { a } from '../db/database.js';", 'controller/db/database.ts'],
  ['controller/http/x.ts', "import type { Knex } from 'knex';", 'knex'],
  ['controller/grpc/x.ts', "import pg from 'pg';", 'pg'],
  [
    'controller/grpc/x.ts',
    "import { decide } from '../deployments/decide.js';",
    'controller/deployments/decide.ts',
  ],
  ['agent/steps/fetch.ts', "import { spawn } from 'node:child_process';", 'node:child_process'],
  ['agent/steps/fetch.ts', "import { a } from '../exec/child-process.js';", 'agent/exec/child-process.ts'],
  ['agent/steps/fetch.ts', "import { a } from '../connection.js';", 'agent/connection.ts'],
  ['agent/steps/fetch.ts', "import { a } from '../journal.js';", 'agent/journal.ts'],
  ['knexfile.ts', "import { a } from './agent/main.js';", 'agent/main.ts'],
];

const ALLOWED: readonly (readonly [string, string])[] = [
  ['proto/x.ts', "import { status } from '@grpc/grpc-js';"],
  ['cli/commands/controller.ts', "const { runController } = await import('../../controller/main.js');"],
  ['cli/commands/agent.ts', "const { runAgent } = await import('../../agent/main.js');"],
  [
    'cli/commands/validate.ts',
    "const { parse } = await import('../../controller/fraises/parse-fraises.js');",
  ],
  ['cli/views/validated.ts', "import { hint } from '../../controller/fraises/finding.js';"],
  ['agent/steps/preflight.ts', "import { findUser } from '../exec/users.js';"],
  ['cli/x.ts', "import type { Configuration } from '../controller/fraises/fraises.js';"],
  ['controller/fraises/x.ts', "import { z } from 'zod';\nimport { parseDocument } from 'yaml';"],
  ['controller/deployments/decide.ts', "import type { RunRow } from './ledger.js';"],
  ['controller/recipes/api.ts', "import { Step } from '../../proto/gen/fraisier/v1/plan.js';"],
  ['controller/deployments/advance.ts', "import { decide } from './decide.js';"],
  ['controller/db/x.ts', "import knex from 'knex';\nimport type { Ledger } from '../deployments/ledger.js';"],
  ['controller/webhooks/x.ts', "import express from 'express';"],
  ['agent/steps/fetch.ts', "import type { RunStep } from './step.js';"],
  ['agent/exec/x.ts', "import { spawn } from 'node:child_process';"],
  ['test/x.test.ts', "import { a } from '../controller/db/database.js';"],
];

const IMPURE: readonly (readonly [string, string, string])[] = [
  ['controller/deployments/decide.ts', 'const at = Date.now();', 'the clock'],
  ['controller/deployments/plan.ts', 'const at = new Date();', 'the clock'],
  ['controller/recipes/api.ts', 'setTimeout(done, 1);', 'a timer'],
  ['controller/webhooks/route.ts', 'const n = Math.random();', 'randomness'],
  ['controller/fraises/x.ts', "const s = process.env['SECRET'];", 'the environment'],
];

describe('the import table', () => {
  for (const [file, code, refused] of FORBIDDEN) {
    it(`refuses ${code} in ${file}`, () => {
      const faults = faultsOf(file, `${code}\n`);
      expect(faults).to.have.length(1);
      expect(faults[0])
        .to.match(/^[^:]+:1: .* may not import /)
        .and.to.contain(refused);
    });
  }

  for (const [file, code] of ALLOWED) {
    it(`allows ${code.split('\n')[0]} in ${file}`, () => {
      expect(faultsOf(file, `${code}\n`)).to.deep.equal([]);
    });
  }

  for (const [file, code, refused] of IMPURE) {
    it(`refuses ${code} in ${file}`, () => {
      expect(faultsOf(file, `// Date.now() in a comment\n${code}\n`).join())
        .to.contain(`${file}:2:`)
        .and.to.contain(refused);
    });
  }

  it('sees an import over several lines, a re-export and an import for its effect', () => {
    const code =
      "import {\n  a,\n  b,\n} from '../agent/x.js';\nexport * from '../cli/y.js';\nimport '../agent/z.js';\n";
    expect(faultsOf('proto/x.ts', code).map((fault) => fault.split(':')[1])).to.deep.equal(['1', '5', '6']);
  });

  it('refuses a file it knows nothing of', () => {
    expect(faultsOf('elsewhere/x.ts', '')).to.have.length(1);
  });
});
