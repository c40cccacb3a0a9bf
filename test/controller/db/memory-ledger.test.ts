import { memoryLedger } from '../../support/memory-ledger.js';
import { ledgerContract } from './ledger-contract.js';

describe('the ledger in memory', () => {
  ledgerContract(async () => {
    const { ledger, waking } = memoryLedger(() => new Date());
    return await Promise.resolve({ ledger, waking, close: async () => await Promise.resolve() });
  });
});
