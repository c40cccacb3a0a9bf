import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { RunEvent } from '../../proto/gen/fraisier/v1/agent.js';
import { FraisierError } from '../../proto/error-codes.js';
import { systemDisk, type AppendFile, type Disk } from '../../agent/disk.js';
import { openJournal, type Journal } from '../../agent/journal.js';
import { withFolder } from './builders.js';

const AT = new Date('2026-11-23T10:00:00Z');

describe('the journal', () => {
  it('numbers events from 1 and gives them back in order when it is opened again', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      const journal = await open(path);
      for (const code of ['one', 'two', 'three']) await note(journal, code);
      await journal.close();
      const again = await open(path);
      expect(codes(await again.all())).to.deep.equal(['1 one', '2 two', '3 three']);
      expect(again.lastSeq).to.equal(3);
      expect(codes([(await again.after(1)) as RunEvent])).to.deep.equal(['2 two']);
      expect(await again.after(3)).to.equal(null);
      expect(await note(again, 'four')).to.equal(4);
      await again.close();
    }));

  it('reads from the disk only what was written long ago, or is large', () =>
    withFolder(async (folder) => {
      const reads: number[] = [];
      const disk: Disk = {
        ...systemDisk,
        readAt: (path, offset, length) => {
          reads.push(length);
          return systemDisk.readAt(path, offset, length);
        },
      };
      const journal = await openJournal(disk, join(folder, 'journal'), 'r_1', () => Promise.resolve());
      const said = ['x'.repeat(5000), ...Array.from({ length: 40 }, (_, at) => `${at}`)];
      for (const code of said) await note(journal, code);
      expect(codes(await journal.all())).to.deep.equal(said.map((code, at) => `${at + 1} ${code}`));
      expect(reads).to.have.length(1 + 40 - 32);
      await journal.close();
    }));

  it('cuts a torn tail at every byte back to the last whole record, and goes on after it', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      const journal = await open(path);
      const ends = [0];
      for (const code of ['one', 'two', 'three']) {
        await note(journal, code);
        ends.push((await readFile(path)).length);
      }
      await journal.close();
      const whole = await readFile(path);
      for (let length = 0; length <= whole.length; length += 1) {
        await writeFile(path, whole);
        await truncate(path, length);
        const torn = await open(path);
        const kept = ends.filter((end) => end <= length).length - 1;
        expect(torn.lastSeq, `cut at ${length}`).to.equal(kept);
        expect((await readFile(path)).length).to.equal(ends[kept]);
        expect(await note(torn, 'next')).to.equal(kept + 1);
        await torn.close();
      }
    }));

  it('cuts a last record whose bytes are not what was written', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      await filled(path, ['one', 'two']);
      const bytes = await readFile(path);
      for (let bad = bytes.length / 2; bad < bytes.length; bad += 1) {
        const changed = Buffer.from(bytes);
        changed[bad] = (changed[bad] ?? 0) ^ 0x55;
        await writeFile(path, changed);
        const journal = await open(path);
        expect(journal.lastSeq).to.equal(1);
        await journal.close();
      }
    }));

  it('refuses a journal that is damaged in the middle, and says where', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      await filled(path, ['one', 'two', 'three']);
      const bytes = await readFile(path);
      for (let bad = 0; bad < 8 + bytes.readUInt32LE(0); bad += 1) {
        const changed = Buffer.from(bytes);
        changed[bad] = (changed[bad] ?? 0) ^ 0x55;
        await writeFile(path, changed);
        const error = await refusal(open(path));
        expect(error.reason.code).to.equal('internal');
        expect(error.message).to.contain(`${path} is damaged at byte 0`);
      }
    }));

  it('refuses a journal whose numbers go back', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      await filled(path, ['one']);
      const record = await readFile(path);
      await writeFile(path, Buffer.concat([record, record]));
      expect((await refusal(open(path))).message).to.contain(`damaged at byte ${record.length}`);
    }));

  it('lets concurrent appends share one sync', () =>
    withFolder(async (folder) => {
      const disk = watchedDisk();
      const journal = await openJournal(disk, join(folder, 'journal'), 'r_1', nothing);
      const numbers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => note(journal, String(index))),
      );
      expect(numbers).to.deep.equal(Array.from({ length: 50 }, (_, index) => index + 1));
      expect(disk.syncs).to.be.lessThan(4);
      await journal.close();
    }));

  it('resolves an append only after the sync', () =>
    withFolder(async (folder) => {
      const disk = watchedDisk();
      const journal = await openJournal(disk, join(folder, 'journal'), 'r_1', nothing);
      await note(journal, 'one');
      expect(disk.log).to.deep.equal(['write', 'sync']);
      expect(journal.lastSeq).to.equal(1);
      await journal.close();
    }));

  it('makes room once when the disk is full, and leaves no half record', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      const disk = watchedDisk();
      let asked = 0;
      const journal = await openJournal(disk, path, 'r_1', () => {
        asked += 1;
        disk.failure = null;
        return Promise.resolve();
      });
      await note(journal, 'one');
      disk.failure = { code: 'ENOSPC', writes: 3 };
      expect(await note(journal, 'two')).to.equal(2);
      expect(asked).to.equal(1);
      await journal.close();
      const again = await open(path);
      expect(codes(await again.all())).to.deep.equal(['1 one', '2 two']);
      await again.close();
    }));

  it('takes no more after a failed write, tells everybody who waited, and can be opened again', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      const disk = watchedDisk();
      const journal = await openJournal(disk, path, 'r_1', nothing);
      await note(journal, 'one');
      for (const code of ['ENOSPC', 'EIO']) disk.failure = { code, writes: 5 };
      const both = await Promise.allSettled([note(journal, 'two'), note(journal, 'three')]);
      expect(both.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
      expect(journal.broken).to.equal(true);
      expect(await failure(note(journal, 'four'))).to.have.property('code', 'EIO');
      disk.failure = null;
      await journal.close();
      const again = await open(path);
      expect(again.broken).to.equal(false);
      expect(await note(again, 'two')).to.equal(2);
      expect(codes(await again.all())).to.deep.equal(['1 one', '2 two']);
      await again.close();
    }));

  it('reports a disk that stays full', () =>
    withFolder(async (folder) => {
      const disk = watchedDisk();
      const journal = await openJournal(disk, join(folder, 'journal'), 'r_1', nothing);
      disk.failure = { code: 'ENOSPC', writes: 5 };
      expect(await failure(note(journal, 'one'))).to.have.property('code', 'ENOSPC');
      await journal.close();
    }));

  it('goes on after the number the controller has, if that is larger', () =>
    withFolder(async (folder) => {
      const journal = await open(join(folder, 'journal'));
      await note(journal, 'one');
      journal.resumeAfter(7);
      expect(await note(journal, 'eight')).to.equal(8);
      journal.resumeAfter(3);
      expect(await note(journal, 'nine')).to.equal(9);
      expect(codes(await journal.all())).to.deep.equal(['1 one', '8 eight', '9 nine']);
      await journal.close();
    }));

  it('refuses an event too large to be read back, without using up its number', () =>
    withFolder(async (folder) => {
      const journal = await open(join(folder, 'journal'));
      expect(await failure(note(journal, 'x'.repeat(5 * 1024 * 1024))))
        .to.have.property('message')
        .that.contains('too large');
      expect(await note(journal, 'one')).to.equal(1);
      await journal.close();
    }));

  it('takes nothing after it is closed, and may be closed twice', () =>
    withFolder(async (folder) => {
      const journal = await open(join(folder, 'journal'));
      const last = note(journal, 'one');
      await journal.close();
      await journal.close();
      expect(await last).to.equal(1);
      expect(await failure(note(journal, 'two'))).to.have.property('message', 'the journal is closed');
    }));

  it('writes length and checksum before each event', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'journal');
      await filled(path, ['one']);
      const bytes = await readFile(path);
      expect(bytes.readUInt32LE(0)).to.equal(bytes.length - 8);
      expect(bytes.readUInt32LE(4)).to.equal(crc32(bytes.subarray(8)));
      expect(RunEvent.decode(bytes.subarray(8))).to.deep.include({ runId: 'r_1', seq: 1, at: AT });
    }));
});

const nothing = (): Promise<void> => Promise.resolve();

function open(path: string): Promise<Journal> {
  return openJournal(systemDisk, path, 'r_1', nothing);
}

async function filled(path: string, all: readonly string[]): Promise<void> {
  const journal = await open(path);
  for (const code of all) await note(journal, code);
  await journal.close();
}

function note(journal: Journal, code: string): Promise<number> {
  return journal.append(AT, {
    $case: 'stepNote',
    value: { step: 's', attempt: 1, code, message: '', facts: {} },
  });
}

function codes(events: readonly RunEvent[]): readonly string[] {
  return events.map(({ seq, event }) => `${seq} ${event?.$case === 'stepNote' ? event.value.code : '?'}`);
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  );
}

async function refusal(work: Promise<unknown>): Promise<FraisierError> {
  const error = await failure(work);
  if (error instanceof FraisierError) return error;
  throw error;
}

interface WatchedDisk extends Disk {
  syncs: number;
  log: string[];
  /** The next so many writes write half and fail. */
  failure: { code: string; writes: number } | null;
}

function watchedDisk(): WatchedDisk {
  const disk: WatchedDisk = {
    ...systemDisk,
    syncs: 0,
    log: [],
    failure: null,
    openForAppend: async (path) => watch(await systemDisk.openForAppend(path)),
  };
  const watch = (file: AppendFile): AppendFile => ({
    ...file,
    write: async (bytes) => {
      disk.log.push('write');
      if (disk.failure === null) return file.write(bytes);
      await file.write(bytes.subarray(0, bytes.length / 2));
      throw Object.assign(new Error('the disk refuses'), { code: disk.failure.code });
    },
    sync: async () => {
      disk.log.push('sync');
      disk.syncs += 1;
      await file.sync();
    },
  });
  return disk;
}
