import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Message } from './clients.js'

/**
 * Judges the recorded Coinbase session: it reads from the file what a subscriber must receive, with code that
 * shares nothing with src. Each message is reduced to one line of text; prices and sizes are the file's own
 * bytes.
 */
const recordingsFolder = process.env['RECORDINGS']
export const coinbaseRecording = recordingsFolder === undefined ? undefined : join(recordingsFolder, 'coinbase-ws.txt')

interface Frame {
  readonly type: string
  readonly product_id: string
  readonly [field: string]: unknown
}

/** By `channel:symbol`, the lines in order. */
export type Lines = Map<string, string[]>

function add (lines: Lines, topic: string, line: string): void {
  const list = lines.get(topic)
  if (list === undefined) lines.set(topic, [line])
  else list.push(line)
}

const levels = (list: ReadonlyArray<readonly [string, string]>): string => list.map(level => level.join('@')).join(' ')

export function expectedLines (file: string): Lines {
  const lines: Lines = new Map()
  const seen = new Set<string>()
  for (const row of readFileSync(file, 'utf8').split('\n')) {
    const found = /^\d+\.\d+: (\{.*\})$/.exec(row)
    if (found === null) continue
    const frame = JSON.parse(found[1]!) as Frame
    const symbol = frame.product_id
    switch (frame.type) {
      case 'ticker':
        add(lines, `quotes:${symbol}`, `quote ${frame['best_bid']} ${frame['best_ask']} ${frame['price']} ${frame['volume_24h']} ${frame['time']}`)
        break
      case 'match':
      case 'last_match': {
        const id = `${symbol} ${frame['trade_id']}`
        if (seen.has(id)) break
        seen.add(id)
        add(lines, `trades:${symbol}`, `trade ${frame['trade_id']} ${frame['price']} ${frame['size']} ${frame['side'] === 'sell' ? 'buy' : 'sell'} ${frame['time']}`)
        break
      }
      case 'snapshot':
        add(lines, `book:${symbol}`, `snapshot ${levels(frame['bids'] as never)} | ${levels(frame['asks'] as never)}`)
        break
      case 'l2update': {
        const changes = frame['changes'] as Array<[string, string, string]>
        const side = (name: string): string => {
          const own = changes.filter(change => change[0] === name)
          return levels(own.map(change => [change[1], change[2]]))
        }
        add(lines, `book:${symbol}`, `update ${side('buy')} | ${side('sell')}`)
        break
      }
    }
  }
  return lines
}

/** The same lines from what a client received. */
export function receivedLines (messages: readonly Message[]): Lines {
  const lines: Lines = new Map()
  for (const { channel, symbol, snapshot, data } of messages) {
    const fields = data as Record<string, never>
    const line = channel === 'quotes'
      ? `quote ${fields['bid']} ${fields['ask']} ${fields['last']} ${fields['volume']} ${fields['venue_time']}`
      : channel === 'trades'
        ? `trade ${fields['trade_id']} ${fields['price']} ${fields['size']} ${fields['side']} ${fields['timestamp']}`
        : `${snapshot === true ? 'snapshot' : 'update'} ${levels(fields['bids']!)} | ${levels(fields['asks']!)}`
    add(lines, `${channel}:${symbol}`, line)
  }
  return lines
}

/** How many lines there are of each kind. */
export function counts (lines: Lines): Record<string, number> {
  const result: Record<string, number> = {}
  for (const list of lines.values()) {
    for (const line of list) {
      const kind = line.slice(0, line.indexOf(' '))
      result[kind] = (result[kind] ?? 0) + 1
    }
  }
  return result
}

/** Where two sets of lines first differ, in words; undefined where they are the same. */
export function difference (expected: Lines, received: Lines): string | undefined {
  for (const [topic, lines] of expected) {
    const got = received.get(topic) ?? []
    for (const [index, line] of lines.entries()) {
      if (got[index] !== line) return `${topic} at ${index + 1}: expected ${line.slice(0, 200)}, received ${got[index]?.slice(0, 200)}`
    }
    if (got.length !== lines.length) return `${topic}: ${got.length - lines.length} more than expected`
  }
  for (const topic of received.keys()) if (!expected.has(topic)) return `${topic}: not in the recording`
  return undefined
}
