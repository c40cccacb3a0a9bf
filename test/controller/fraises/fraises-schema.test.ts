import { expect } from 'chai';
import { fraisesJsonSchema } from '../../../controller/fraises/fraises-schema.js';
import { shipped } from './samples.js';

describe('the JSON Schema of fraises.yaml', () => {
  it('is the committed file, which editors use', () => {
    expect(`${JSON.stringify(fraisesJsonSchema(), null, 2)}\n`).to.equal(shipped('fraises.schema.json'));
  });

  it('allows no unknown keys and has patterns that every engine reads', () => {
    const schema = fraisesJsonSchema();
    expect(schema).to.deep.include({
      additionalProperties: false,
      required: ['fraises'],
      title: 'fraises.yaml',
    });
    const patterns = [...shipped('fraises.schema.json').matchAll(/"pattern": (".*")/g)];
    expect(patterns.length).to.be.greaterThan(20);
    for (const [, pattern = ''] of patterns) new RegExp(JSON.parse(pattern) as string, 'u');
  });
});
