import { isIPv4, isIPv6 } from 'node:net'

/** Longest text that is no address and is counted all the same: what a proxy says of a client. */
const MAX_TEXT = 64
/** Of 16 bits each, in an IPv6 address; the first half is what one household or one machine is given. */
const GROUPS = 8
const NETWORK_GROUPS = 4

/**
 * What stands for one client where addresses are counted. Of IPv6 that is the /64: whoever has one address has 2^64.
 * An IPv4 address written as IPv6 (`::ffff:192.0.2.1`, as sockets for both have it) is the IPv4 address.
 * @param ip undefined where there is none, as of a Unix socket or a client that is gone; no address where a proxy says something else
 */
export function addressGroup (ip: string | undefined): string {
  if (ip === undefined || isIPv4(ip)) return ip ?? ''
  const [address] = ip.split('%', 1) as [string]
  if (!isIPv6(address)) return ip.slice(0, MAX_TEXT)
  const groups = groupsOf(address)
  const [high, low] = groups.slice(-2) as [number, number]
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return `${groups.slice(0, NETWORK_GROUPS).map(group => group.toString(16)).join(':')}::/64`
}

/** @param address a valid IPv6 address */
function groupsOf (address: string): number[] {
  const [head = [], tail] = address.split('::').map(part => part.split(':').filter(group => group !== '').flatMap(numbersOf))
  return tail === undefined ? head : [...head, ...new Array<number>(GROUPS - head.length - tail.length).fill(0), ...tail]
}

/** One group, or the two of an address that ends as IPv4 is written. */
function numbersOf (group: string): number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)]
  const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number]
  return [a << 8 | b, c << 8 | d]
}
