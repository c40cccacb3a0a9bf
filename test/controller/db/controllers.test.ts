import { expect } from 'chai';
import { authorityStore } from '../../../controller/db/authority.js';
import {
  controllers,
  registerController,
  touchController,
  unregisterController,
} from '../../../controller/db/controller.js';
import { withDatabase } from '../../support/database.js';

describe('what controllers share', function () {
  this.timeout(20_000);

  it('is one certificate authority, that of the first who stored one', async () => {
    await withDatabase(async (db) => {
      const store = authorityStore(db);
      expect(await store.load()).to.equal(null);
      const offered = [1, 2, 3].map((n) => ({
        certificatePem: `pem ${n}`,
        sealedKey: new Uint8Array([n, 0, 255]),
      }));
      const stored = await Promise.all(offered.map(async (one) => await store.storeOnce(one)));
      expect(offered).to.deep.include(stored[0]);
      expect(stored).to.deep.equal([stored[0], stored[0], stored[0]]);
      expect(await store.load()).to.deep.equal(stored[0]);
      expect(await store.storeOnce({ certificatePem: 'late', sealedKey: new Uint8Array() })).to.deep.equal(
        stored[0],
      );
    });
  });

  it('is the list of their addresses, those seen last first', async () => {
    await withDatabase(async (db) => {
      await registerController(db, { id: 'c_1', advertised: ['a:9091'], version: '0.1.0' });
      await registerController(db, { id: 'c_2', advertised: ['b:9091', 'c:9091'], version: '0.1.0' });
      expect((await controllers(db)).map((one) => one.id)).to.deep.equal(['c_2', 'c_1']);
      expect(await touchController(db, 'c_1')).to.equal(true);
      const [first] = await controllers(db);
      expect(first).to.deep.include({ id: 'c_1', advertised: ['a:9091'], version: '0.1.0' });
      expect(Number(first?.seenAt)).to.be.at.least(Number(first?.startedAt));
      await registerController(db, { id: 'c_1', advertised: ['d:9091'], version: '0.2.0' });
      expect((await controllers(db))[0]).to.deep.include({ advertised: ['d:9091'], version: '0.2.0' });
      await unregisterController(db, 'c_1');
      expect(await touchController(db, 'c_1')).to.equal(false);
      expect(await controllers(db, 60_000)).to.have.lengthOf(1);
      expect(await controllers(db, -1)).to.deep.equal([]);
    });
  });
});
