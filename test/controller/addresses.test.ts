import { expect } from 'chai';
import {
  atHost,
  certificateNames,
  hostsToTell,
  isLoopback,
  thisMachine,
} from '../../controller/addresses.js';

const machine = { hostname: 'c1', addresses: ['fd00::1', '10.0.0.5'] };

describe('what others are told of this controller’s address', () => {
  it('is what is advertised, the name they used first', () => {
    expect(hostsToTell(['a', 'b'], '0.0.0.0:9091', 'b', machine)).to.deep.equal(['b', 'a']);
    expect(hostsToTell(['a', 'b'], '0.0.0.0:9091', 'c', machine)).to.deep.equal(['a', 'b']);
  });

  it('is else the name they used, the address listened on, or one of the machine', () => {
    expect(hostsToTell([], '0.0.0.0:9091', 'c.example', machine)).to.deep.equal(['c.example']);
    expect(hostsToTell([], '127.0.0.1:9091', '', machine)).to.deep.equal(['127.0.0.1']);
    expect(hostsToTell([], '[::]:9091', '', machine)).to.deep.equal(['10.0.0.5']);
    expect(hostsToTell([], '0.0.0.0:9091', '', { hostname: 'c1', addresses: [] })).to.deep.equal(['c1']);
  });

  it('keeps the port', () => {
    expect(atHost('a', '0.0.0.0:9091')).to.equal('a:9091');
    expect(atHost('::1', '[::]:9091')).to.equal('[::1]:9091');
  });
});

describe('the names in a controller’s certificate', () => {
  it('are all under which it can be reached, and only names', () => {
    const strange = { hostname: 'not a name', addresses: ['10.0.0.5'] };
    const names = certificateNames(['a.example'], ['192.0.2.1:9090', '0.0.0.0:9091'], strange);
    expect(names).to.deep.equal(['a.example', 'localhost', '127.0.0.1', '::1', '192.0.2.1', '10.0.0.5']);
  });

  it('are found out from this machine', () => {
    const { hostname, addresses } = thisMachine();
    expect(hostname).not.to.equal('');
    expect(addresses.some(isLoopback)).to.equal(false);
  });
});
