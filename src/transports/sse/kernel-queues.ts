import { readFile } from 'node:fs/promises'
import { isIPv4, type Socket } from 'node:net'

/** A connection of the system, as both ends of it name themselves. */
type Key = string

const key = (localPort: number, remoteAddress: string, remotePort: number): Key => `${localPort} ${remotePort} ${remoteAddress}`

/** One spelling for each address; one of IPv4 that came in by IPv6 is what it is. */
function canonicalAddress (address: string): string {
  const plain = address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
  return isIPv4(plain) ? plain : new URL(`http://[${plain.split('%', 1)[0]}]`).hostname.slice(1, -1)
}

/** The address of a row: words of four bytes, each with its lowest byte first. */
function addressOfRow (hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap(word => word.match(/../g)!.reverse())
  if (bytes.length === 4) return bytes.map(byte => parseInt(byte, 16)).join('.')
  const mapped = bytes.slice(0, 12).join('') === '00000000000000000000ffff'
  if (mapped) return bytes.slice(12).map(byte => parseInt(byte, 16)).join('.')
  return canonicalAddress(bytes.join('').match(/.{4}/g)!.join(':'))
}

const ROW = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/

/** Reads the rows of `/proc/net/tcp` or `tcp6` with unacknowledged bytes. */
export function parseKernelQueues (text: string): Map<Key, number> {
  const queues = new Map<Key, number>()
  for (const line of text.split('\n')) {
    const [, localPort, remoteAddress, remotePort, queue] = ROW.exec(line) ?? []
    if (queue === undefined || queue === '00000000') continue
    queues.set(key(parseInt(localPort!, 16), addressOfRow(remoteAddress!.toLowerCase()), parseInt(remotePort!, 16)), parseInt(queue, 16))
  }
  return queues
}

/**
 * What peers have not acknowledged. A process only sees the bytes that the system has not taken from it; of those
 * that the system holds, Linux tells in `/proc/net`. Elsewhere nothing is known, and 0 is said.
 */
export class KernelQueues {
  /** How often the system has answered. */
  readings = 0
  /** Whether it is being asked now. */
  isReading = false
  private queues = new Map<Key, number>()
  private readAt = -Infinity

  /** @param maxAgeMs how old an answer may be: one read serves all connections */
  constructor (private readonly maxAgeMs: number) {}

  /** Bytes of a connection that the system has sent, or will, and its peer has not acknowledged. */
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
    const texts = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(file => readFile(file, 'latin1').catch(() => '')))
    this.queues = parseKernelQueues(texts.join('\n'))
    this.readings++
    this.isReading = false
  }
}
