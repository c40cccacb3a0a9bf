import { createLedger } from '../../../controller/db/ledger.js';
import { listen } from '../../../controller/db/notify.js';
import { testDatabase } from '../../support/database.js';
import { ledgerContract } from './ledger-contract.js';

describe('the ledger in PostgreSQL', function () {
  this.timeout(20_000);

  ledgerContract(async () => {
    const test = await testDatabase();
    const waking = await listen({ url: test.url }, { onError: (error) => console.error(error) });
    const close = async (): Promise<void> => {
      await waking.close();
      await test.close();
    };
    return { ledger: createLedger(test.db), waking, close };
  });
});
