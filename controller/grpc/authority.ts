/** The host of an HTTP/2 `:authority` (`HOST:PORT`, `[IPV6]:PORT`), without port and brackets. */
export function hostOfAuthority(authority: string): string {
  return authority.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
