import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { krakenChecksum } from '../venues/protocols/kraken.js'
import { type Level, recorded } from './naive-book.js'
import { temporaryFolder } from './temporary-folder.js'

type V1Part = Readonly<Record<string, Level[] | string>>

/** Writes a frame of version 1 as one of version 2, whose prices and sizes are numbers of JSON. */
export function asV2 (text: string): string[] {
  const frame = JSON.parse(text) as unknown
  if (!Array.isArray(frame)) return []
  const parts = Object.assign({}, ...frame.slice(1, -2)) as V1Part
  const write = (levels: V1Part[string] = []): string =>
    `[${(levels as Level[]).map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`
  const isSnapshot = 'as' in parts
  const [bids, asks] = isSnapshot ? [parts['bs'], parts['as']] : [parts['b'], parts['a']]
  const checksum = isSnapshot ? krakenChecksum({ bids: bids as Level[], asks: asks as Level[] }) : parts['c'] as string
  return [`{"channel":"book","type":"${isSnapshot ? 'snapshot' : 'update'}","data":[{"symbol":"${String(frame.at(-1))}",` +
    `"bids":${write(bids)},"asks":${write(asks)},"checksum":${checksum}}]}`]
}

/** Writes the recorded session of Kraken as one of version 2. @returns its file */
export function krakenV2Recording (t: Test): string {
  const lines = recorded('kraken-book-ws.txt').flatMap(({ time, text }) => {
    const answer = JSON.parse(text) as { event?: unknown, pair?: string }
    const result = { channel: 'book', depth: 1000, snapshot: true, symbol: answer.pair }
    const frames = answer.event === 'subscriptionStatus'
      ? [JSON.stringify({ method: 'subscribe', result, success: true })]
      : asV2(text)
    return frames.map(frame => ({ time, frame }))
  })
  const symbols = lines.flatMap(({ frame }) => /"symbol":"([^"]+)"},"success"/.exec(frame)?.[1] ?? [])
  const subscribe = { method: 'subscribe', params: { channel: 'book', depth: 1000, symbol: symbols } }
  const [{ time }] = lines as [typeof lines[0]]
  const file = join(temporaryFolder(t), 'kraken-v2.txt')
  writeFileSync(file, [
    `wss://ws.kraken.com/v2 <-> ${time}`,
    `wss://ws.kraken.com/v2 <- ${time}: ${JSON.stringify(subscribe)}`,
    ...lines.map(({ time, frame }) => `${time}: ${frame}`)
  ].join('\n') + '\n')
  return file
}
