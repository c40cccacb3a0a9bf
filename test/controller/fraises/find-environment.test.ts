import { expect } from 'chai';
import { findEnvironment } from '../../../controller/fraises/find-environment.js';
import { configurationOf, refusal, shipped } from './samples.js';

describe('findEnvironment', () => {
  const configuration = configurationOf(shipped('fraises.example.yaml'));

  it('finds an environment by the names of its fraise and itself', () => {
    expect(findEnvironment(configuration, 'checkout', 'staging')).to.deep.include({
      fraise: 'checkout',
      name: 'staging',
    });
  });

  it('names the nearest fraise and lists those that exist', () => {
    const { message, reason } = refusal(() => findEnvironment(configuration, 'chekcout', 'production'));
    expect(message).to.equal(
      'there is no fraise "chekcout" (did you mean checkout?); there is checkout, website, nightly, reports, backups',
    );
    expect(reason).to.deep.include({ code: 'unknown_fraise', hint: 'fraisier list' });
  });

  it('names the nearest environment and lists those of the fraise', () => {
    const { message, reason } = refusal(() => findEnvironment(configuration, 'checkout', 'prodution'));
    expect(message).to.equal(
      'the fraise checkout has no environment "prodution" (did you mean production?); there is production, staging',
    );
    expect(reason.code).to.equal('unknown_environment');
  });

  it('is not taken in by names that every object has', () => {
    expect(refusal(() => findEnvironment(configuration, 'constructor', 'x')).message).to.contain(
      'there is no fraise',
    );
    expect(refusal(() => findEnvironment(configuration, 'checkout', 'toString')).reason.code).to.equal(
      'unknown_environment',
    );
  });
});
