import { isIP } from 'node:net'

/** Names of networks that a list of proxies may contain (Fastify knows them). */
const NETWORKS: readonly string[] = ['loopback', 'linklocal', 'uniquelocal']

/** Tells whether a text is a comma list of IP addresses, networks in CIDR notation, and names of networks. */
export function isAddressList (text: string): boolean {
  return text.split(',').map(part => part.trim()).every(part => NETWORKS.includes(part) || isNetwork(part))
}

function isNetwork (text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || address.includes('%') || more.length > 0) return false
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
