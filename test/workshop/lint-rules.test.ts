import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../proto/package-root.js';
import { runCommand } from '../support/run-command.js';

const OFFENCES: Readonly<Record<string, string>> = {
  'no-floating-promises':
    "import { later } from './fine.js';\nexport function act(): void {\n  later();\n}\n",
  'no-misused-promises':
    "import { later } from './fine.js';\n[1].forEach(async () => {\n  await later();\n});\n",
  'switch-exhaustiveness-check':
    "export function act(word: 'a' | 'b'): number {\n  switch (word) {\n    case 'a':\n      return 1;\n  }\n  return 2;\n}\n",
  'only-throw-error': "export function act(): never {\n  throw 'words';\n}\n",
  'consistent-type-imports': "import { Stats } from 'node:fs';\nexport type Seen = Stats;\n",
  'no-explicit-any': 'export const found: any = 1;\n',
  'no-default-export': 'export default 1;\n',
  'no-unused-vars': 'const never = 1;\n',
  'no-cycle': "import { other } from './other.js';\nexport const one = (): number => other();\n",
};

describe('the linter', () => {
  let folder: string;
  let findings: string;

  before(async function () {
    this.timeout(60_000);
    folder = await realpath(await mkdtemp(join(tmpdir(), 'fraisier-lint-')));
    await project(folder);
    const oxlint = join(packageRoot(), 'node_modules', '.bin', 'oxlint');
    const { code, stdout, stderr } = await runCommand([oxlint, '--type-aware', '--format', 'unix'], {
      cwd: folder,
    });
    expect(code, stderr).to.equal(1);
    findings = stdout;
  });

  after(() => rm(folder, { recursive: true, force: true }));

  for (const rule of Object.keys(OFFENCES)) {
    it(`finds ${rule}`, () => {
      const about = findings.split('\n').filter((line) => line.startsWith(`agent/${rule}.ts:`));
      expect(
        about.some((line) => line.includes(`(${rule})`)),
        findings,
      ).to.equal(true);
    });
  }

  it('has nothing to say about a file that keeps to the style', () => {
    expect(findings).not.to.contain('agent/fine.ts');
  });
});

/** A project with this one's rules and one file per offence. */
async function project(folder: string): Promise<void> {
  const root = packageRoot();
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    await cp(join(root, file), join(folder, file));
  await mkdir(join(folder, 'agent'));
  const files = {
    ...OFFENCES,
    fine: 'export async function later(): Promise<void> {\n  await Promise.resolve();\n}\n',
    other: "import { one } from './no-cycle.js';\nexport const other = (): number => one();\n",
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, 'agent', `${name}.ts`), text);
}
