import { mkdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { readReleaseMark, writeReleaseMark } from '../../../agent/steps/release-layout.js';
import { withFolder } from '../exec/a-spec.js';
import { aHost } from './a-step-context.js';

const COMMIT = 'c'.repeat(40);
const prove = (commit: string) => ({ $case: 'prove', value: { commit } }) as const;

describe('calling a release good', () => {
  it('marks the live release, and no other', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      const place = { appPath: join(folder, 'app') };
      await mkdir(join(folder, 'app/releases', COMMIT), { recursive: true });
      const nothing = await host.run(prove(COMMIT));
      expect(nothing).to.have.nested.property('reason.code', 'activate_failed');
      await symlink(`releases/${COMMIT}`, join(folder, 'app/current'));
      expect(await host.run(prove(COMMIT))).to.have.nested.property('reason.code', 'activate_failed');
      const mark = {
        commit: COMMIT,
        stagedAt: '2026-01-01',
        activatedAt: null,
        provenGoodAt: null,
        previous: null,
      };
      await writeReleaseMark(place, mark);
      expect(await host.run(prove('a'.repeat(40)))).to.have.nested.property('reason.code', 'activate_failed');
      const end = await host.run(prove(COMMIT), { now: () => new Date('2026-05-01T12:00:00Z') });
      expect(end.outcome).to.equal('OUTCOME_SUCCEEDED');
      expect((await readReleaseMark(place, COMMIT))?.provenGoodAt).to.equal('2026-05-01T12:00:00.000Z');
    }));

  it('fails where the mark cannot be written', () =>
    withFolder(async (folder) => {
      const host = await aHost(folder);
      await mkdir(join(folder, 'app/releases', COMMIT), { recursive: true });
      await symlink(`releases/${COMMIT}`, join(folder, 'app/current'));
      const mark = {
        commit: COMMIT,
        stagedAt: '2026-01-01',
        activatedAt: null,
        provenGoodAt: null,
        previous: null,
      };
      await writeReleaseMark({ appPath: join(folder, 'app') }, mark);
      await unlink(join(folder, 'app/releases', `${COMMIT}.json.new`)).catch(() => undefined);
      await mkdir(join(folder, 'app/releases', `${COMMIT}.json.new`));
      expect(await host.run(prove(COMMIT)))
        .to.have.nested.property('reason.message')
        .that.matches(/marking the release/);
    }));
});
