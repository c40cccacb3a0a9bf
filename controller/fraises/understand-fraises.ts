import type { z } from 'zod';
import { buildBranchMapping } from './branch-mapping.js';
import type { KnownNames } from './branch-mapping.js';
import { buildFraises } from './build-fraises.js';
import { buildGitHosts } from './build-git-hosts.js';
import { formatPath } from './finding.js';
import type { Finding } from './finding.js';
import type { Configuration } from './fraises.js';
import { fraiseSchema, targetsSchema, topSchema } from './fraises-schema.js';
import type { TopLevel } from './fraises-schema.js';
import { looseTemplates } from './loose-templates.js';
import { schemaFindings } from './schema-findings.js';
import { takeOutUnsupported } from './unsupported-keys.js';

/** What the value of a file means and what is to be said of it. With an error among the findings it means nothing. */
export function understandFraises(written: unknown): {
  configuration: Configuration;
  findings: readonly Finding[];
} {
  const { value, findings: unsupported } = takeOutUnsupported(written);
  const top = sound(value);
  const known = knownNames(value);
  const git = buildGitHosts(top.git ?? {});
  const mapping = buildBranchMapping(top.branch_mapping, known);
  const hosts = Object.fromEntries(
    Object.entries(top.hosts ?? {}).map(([host, declared]) => [host, { labels: { ...declared?.labels } }]),
  );
  const fraises = buildFraises(top, mapping.branchMapping, hosts);
  return {
    configuration: {
      name: top.name ?? 'fraisier',
      defaultProvider: top.git?.provider ?? 'github',
      gitHosts: git.gitHosts,
      hosts,
      fraises: fraises.value,
      branchMapping: mapping.branchMapping,
    },
    findings: [
      ...unsupported,
      ...shapeFindings(value),
      ...git.findings,
      ...mapping.findings,
      ...fraises.findings,
    ],
  };
}

/** A template where none is filled in is said once, not again as text of the wrong shape. */
function shapeFindings(value: unknown): readonly Finding[] {
  const loose = looseTemplates(value);
  const said = new Set(loose.map((one) => formatPath(one.path)));
  return [...loose, ...schemaFindings(topSchema, value).filter((one) => !said.has(formatPath(one.path)))];
}

/** The parts of the file that have the right shape: faults in one do not hide those in another. */
function sound(value: unknown): TopLevel & { branch_mapping: NonNullable<TopLevel['branch_mapping']> } {
  const written = isMap(value) ? value : {};
  const { shape } = topSchema;
  return {
    name: shape.name.safeParse(written['name']).data,
    deploy_user: shape.deploy_user.safeParse(written['deploy_user']).data,
    git: shape.git.safeParse(written['git']).data,
    hosts: shape.hosts.safeParse(written['hosts']).data,
    fraises: soundEntries(fraiseSchema, written['fraises']),
    branch_mapping: soundEntries(targetsSchema, written['branch_mapping']),
  };
}

function soundEntries<T>(schema: z.ZodType<T>, map: unknown): Record<string, T> {
  const entries = Object.entries(isMap(map) ? map : {}).flatMap(([key, one]) => {
    const parsed = schema.safeParse(one);
    return parsed.success ? [[key, parsed.data] as const] : [];
  });
  return Object.fromEntries(entries);
}

function knownNames(value: unknown): KnownNames {
  const keysOf = (map: unknown, key: string) => Object.entries(isMap(map) && isMap(map[key]) ? map[key] : {});
  return new Map(
    keysOf(value, 'fraises').map(([name, fraise]) => [
      name,
      keysOf(fraise, 'environments').map(([key]) => key),
    ]),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
