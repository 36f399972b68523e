import type { Entry, Origin, Page, Snapshot, TopicPosition } from '../log/log.js'

/** Pages and states on their way to a worker: a line of JSON, then one payload a line. */

type Row = [
  offset: number, sequence: number, previous: number, timestamp: number, replaces: boolean,
  origin: Origin | null
]
type Header = [epoch: number, last: TopicPosition | null, first: number | null, rows: Row[]]

export function pageText ({ epoch, entries, last, first }: Page): string {
  let payloads = ''
  const rows = entries.map(({ offset, sequence, previous, timestamp, payload, replaces, origin }): Row => {
    payloads += payload + '\n'
    return [offset, sequence, previous, timestamp, replaces, origin ?? null]
  })
  const header: Header = [epoch, last ?? null, first ?? null, rows]
  return `${JSON.stringify(header)}\n${payloads}`
}

export function parsePage (topic: string, shard: number, text: string): Page {
  let at = text.indexOf('\n')
  const [epoch, last, first, rows] = JSON.parse(text.slice(0, at)) as Header
  const entries = rows.map(([offset, sequence, previous, timestamp, replaces, origin]): Entry => {
    const next = text.indexOf('\n', at + 1)
    const payload = text.slice(at + 1, next)
    at = next
    const entry = { topic, shard, offset, sequence, previous, timestamp, payload, replaces }
    return origin === null ? entry : { ...entry, origin }
  })
  return { epoch, entries, last: last ?? undefined, first: first ?? undefined }
}

/** Writes a state; nothing for a topic that has none. */
export function snapshotText (snapshot: Snapshot | undefined): string {
  if (snapshot === undefined) return ''
  const { payload, ...rest } = snapshot
  return `${JSON.stringify(rest)}\n${payload}`
}

export function parseSnapshot (text: string): Snapshot | undefined {
  if (text === '') return undefined
  const end = text.indexOf('\n')
  const rest = JSON.parse(text.slice(0, end)) as Omit<Snapshot, 'payload'>
  return { ...rest, payload: text.slice(end + 1) }
}
