import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

const TOP = ['proto', 'controller', 'agent', 'cli', 'test', 'scripts'];

/** The project's own TypeScript files as paths from `root` with `/`, generated ones left out. */
export async function sourceFiles(root: string): Promise<readonly string[]> {
  const found = await Promise.all(TOP.map((folder) => filesBelow(join(root, folder))));
  const own = [
    ...(await readdir(root)),
    ...found.flat().map((file) => relative(root, file).split(sep).join('/')),
  ];
  return own
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.startsWith('proto/gen/'))
    .sort();
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
