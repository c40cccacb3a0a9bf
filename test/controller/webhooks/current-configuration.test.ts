import { expect } from 'chai';
import { configurationReader } from '../../../controller/webhooks/current-configuration.js';
import { configure, CONFIGURATION, memoryStore } from './support.js';

describe('the current configuration', () => {
  it('is the newest one, parsed once', async () => {
    const { ledger } = await memoryStore();
    const read = configurationReader();
    expect(await read(ledger)).to.equal(null);
    await configure(ledger);
    const first = await read(ledger);
    expect(first?.revision).to.equal(1);
    expect(await read(ledger)).to.equal(first);
    await configure(ledger, CONFIGURATION.replace('branch: develop', 'branch: next'));
    const second = await read(ledger);
    expect(second?.revision).to.equal(2);
    expect(second?.configuration.fraises['shop']?.environments['staging']?.branch).to.equal('next');
  });
});
