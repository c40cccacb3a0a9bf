import { systemDisk, type AppendFile, type Disk } from '../../agent/disk.js';

/** From its so-maniest write on, nothing reaches the disk and nothing comes back. */
export function mortalDisk(diesAt: number): {
  disk: Disk;
  dead: Promise<void>;
  writes: () => number;
  bury: () => Promise<void>;
} {
  const files: AppendFile[] = [];
  let count = 0;
  let die = (): void => undefined;
  const dead = new Promise<void>((resolve) => (die = resolve));
  const write = async (work: () => Promise<void>): Promise<void> => {
    count += 1;
    if (count < diesAt) return work();
    die();
    return new Promise(() => undefined);
  };
  const disk: Disk = {
    ...systemDisk,
    makeFolder: (path) => write(() => systemDisk.makeFolder(path)),
    writeWhole: (path, bytes, mode) => write(() => systemDisk.writeWhole(path, bytes, mode)),
    append: (path, bytes) => write(() => systemDisk.append(path, bytes)),
    remove: (path) => write(() => systemDisk.remove(path)),
    openForAppend: async (path) => {
      const file = await systemDisk.openForAppend(path);
      files.push(file);
      return {
        ...file,
        write: (bytes) => write(() => file.write(bytes)),
        sync: () => write(() => file.sync()),
      };
    },
  };
  const bury = async (): Promise<void> => {
    for (const file of files) await file.close();
  };
  return { disk, dead, writes: () => count, bury };
}
