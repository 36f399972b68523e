import { isIPv4, isIPv6 } from 'node:net'

/** A proxy may name a client by a text that is no address. Only this many characters of it count. */
const MAX_TEXT = 64
/** An IPv6 address has 8 groups of 16 bits. One household or one machine is given the first 4 of them. */
const GROUPS = 8
const NETWORK_GROUPS = 4

/**
 * Returns what stands for one client when addresses are counted. For IPv6 that is the /64 network: whoever
 * has one address of it has all 2^64. An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`, as sockets
 * for both versions report it) counts as the IPv4 address.
 * @param ip undefined if there is none, as for a Unix socket or a client that is gone. It is not an address
 *   if a proxy names the client otherwise.
 */
export function addressGroup (ip: string | undefined): string {
  if (ip === undefined || isIPv4(ip)) return ip ?? ''
  const [address] = ip.split('%', 1) as [string]
  if (!isIPv6(address)) return ip.slice(0, MAX_TEXT)
  const groups = groupsOf(address)
  const [high, low] = groups.slice(-2) as [number, number]
  const isMapped = groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return `${groups.slice(0, NETWORK_GROUPS).map(group => group.toString(16)).join(':')}::/64`
}

/** @param address a valid IPv6 address */
function groupsOf (address: string): number[] {
  const [head = [], tail] = address.split('::')
    .map(part => part.split(':').filter(group => group !== '').flatMap(numbersOf))
  if (tail === undefined) return head
  return [...head, ...new Array<number>(GROUPS - head.length - tail.length).fill(0), ...tail]
}

/** Returns one group, or the two groups at the end of an address that ends in IPv4 notation. */
function numbersOf (group: string): number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)]
  const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number]
  return [a << 8 | b, c << 8 | d]
}
