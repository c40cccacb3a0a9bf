import { expect } from 'chai';
import { formatAddress, parseAddress } from '../../proto/address.js';

describe('addresses', () => {
  const cases: [string, string, number][] = [
    ['deploy.example.com', 'deploy.example.com', 9090],
    ['deploy.example.com:1234', 'deploy.example.com', 1234],
    ['10.0.0.1:80', '10.0.0.1', 80],
    ['[::1]:1234', '::1', 1234],
    ['[fe80::1%eth0]', 'fe80::1%eth0', 9090],
    ['::1', '::1', 9090],
    [' localhost ', 'localhost', 9090],
  ];
  for (const [text, host, port] of cases) {
    it(`read "${text}"`, () => expect(parseAddress(text, 9090)).to.deep.equal({ host, port }));
  }

  for (const text of ['', 'a b', 'host:', 'host:x', 'host:70000', 'http://host:80', '[::1']) {
    it(`refuse "${text}"`, () => expect(() => parseAddress(text, 9090)).to.throw('is no address'));
  }

  it('are written with brackets around IPv6', () => {
    expect(formatAddress({ host: '::1', port: 1 })).to.equal('[::1]:1');
    expect(formatAddress({ host: 'a', port: 1 })).to.equal('a:1');
  });
});
