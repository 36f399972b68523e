import { readFile } from 'node:fs/promises'
import { isIPv4, type Socket } from 'node:net'

/** Names a TCP connection by its local port, its remote port and its remote address. */
type Key = string

const key = (localPort: number, remoteAddress: string, remotePort: number): Key =>
  `${localPort} ${remotePort} ${remoteAddress}`

/**
 * Returns the one spelling of an address. An IPv4 address that came in by IPv6 becomes an IPv4 address again.
 */
function canonicalAddress (address: string): string {
  const plain = address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
  return isIPv4(plain) ? plain : new URL(`http://[${plain.split('%', 1)[0]}]`).hostname.slice(1, -1)
}

/** Returns the address of a row, which consists of words of four bytes, each with its lowest byte first. */
function addressOfRow (hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap(word => word.match(/../g)!.reverse())
  if (bytes.length === 4) return bytes.map(byte => parseInt(byte, 16)).join('.')
  const mapped = bytes.slice(0, 12).join('') === '00000000000000000000ffff'
  if (mapped) return bytes.slice(12).map(byte => parseInt(byte, 16)).join('.')
  return canonicalAddress(bytes.join('').match(/.{4}/g)!.join(':'))
}

const ROW = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/

/** Reads `/proc/net/tcp` or `tcp6`, and returns the connections with unacknowledged bytes, and how many. */
export function parseKernelQueues (text: string): Map<Key, number> {
  const queues = new Map<Key, number>()
  for (const line of text.split('\n')) {
    const [, localPort, remoteAddress, remotePort, queue] = ROW.exec(line) ?? []
    if (queue === undefined || queue === '00000000') continue
    const address = addressOfRow(remoteAddress!.toLowerCase())
    queues.set(key(parseInt(localPort!, 16), address, parseInt(remotePort!, 16)), parseInt(queue, 16))
  }
  return queues
}

/**
 * Knows how many bytes the peers have not acknowledged. A process only sees the bytes that the system has not
 * taken from it. Linux reports the others in `/proc/net`. On other systems every answer is 0.
 */
export class KernelQueues {
  /** How many times the system has answered. */
  readings = 0
  /** Whether the system is being asked now. */
  isReading = false
  private queues = new Map<Key, number>()
  private readAt = -Infinity

  /** @param maxAgeMs how old an answer may be; one answer serves all connections */
  constructor (private readonly maxAgeMs: number) {}

  /**
   * Returns how many bytes of a connection the system has taken and the peer has not acknowledged, by the
   * last answer of the system. Asks the system again if that answer is too old.
   */
  unacknowledged (socket: Socket, now: number): number {
    if (now - this.readAt >= this.maxAgeMs && !this.isReading) {
      this.readAt = now
      void this.read()
    }
    const { localPort, remoteAddress, remotePort } = socket
    if (localPort === undefined || remoteAddress === undefined || remotePort === undefined) return 0
    return this.queues.get(key(localPort, canonicalAddress(remoteAddress), remotePort)) ?? 0
  }

  private async read (): Promise<void> {
    this.isReading = true
    const files = ['/proc/net/tcp', '/proc/net/tcp6']
    const texts = await Promise.all(files.map(file => readFile(file, 'latin1').catch(() => '')))
    this.queues = parseKernelQueues(texts.join('\n'))
    this.readings++
    this.isReading = false
  }
}
