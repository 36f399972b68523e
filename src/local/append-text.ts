import type { ErrorCode } from '@tickwire/protocol'
import type { AppendItem, AppendOptions, AppendResult, Origin } from '../log/log.js'

/** Calls of `Log.append` on their way to the log: a line of JSON, then one payload a line. */

/** One call of `Log.append`. */
export interface AppendCall {
  readonly number: number
  readonly items: readonly AppendItem[]
  readonly options: AppendOptions | undefined
}

/** `items` is as in batch-text.ts, with `k` and the number of the item's key, and `o` if it has an origin. */
type Header = [
  calls: Array<[number: number, count: number, options: AppendOptions | null]>,
  topics: string[],
  keys: string[],
  items: string,
  origins: Origin[]
]

export function appendText (calls: readonly AppendCall[]): string {
  const topics = new Map<string, number>()
  const keys: string[] = []
  const origins: Origin[] = []
  let described = ''
  let payloads = ''
  for (const { items } of calls) {
    for (const { topic, payload, replaces, idempotencyKey, origin } of items) {
      let number = topics.get(topic)
      if (number === undefined) topics.set(topic, number = topics.size + 1)
      described += replaces === true ? `${number}r` : number
      if (idempotencyKey !== undefined) described += `k${keys.push(idempotencyKey)}`
      if (origin !== undefined) {
        described += 'o'
        origins.push(origin)
      }
      described += ','
      payloads += payload + '\n'
    }
  }
  const header: Header = [
    calls.map(({ number, items, options }) => [number, items.length, options ?? null]),
    [...topics.keys()], keys, described, origins
  ]
  return `${JSON.stringify(header)}\n${payloads}`
}

export function parseAppends (text: string): AppendCall[] {
  let at = text.indexOf('\n')
  const [calls, topics, keys, described, origins] = JSON.parse(text.slice(0, at)) as Header
  let from = 0
  let origin = 0
  return calls.map(([number, count, options]) => {
    const items: AppendItem[] = []
    while (items.length < count) {
      const end = described.indexOf(',', from)
      const item = described.slice(from, end)
      from = end + 1
      const next = text.indexOf('\n', at + 1)
      const key = item.indexOf('k')
      items.push({
        topic: topics[Number.parseInt(item) - 1]!,
        payload: text.slice(at + 1, next),
        replaces: item.includes('r'),
        idempotencyKey: key < 0 ? undefined : keys[Number.parseInt(item.slice(key + 1)) - 1]!,
        origin: item.endsWith('o') ? origins[origin++]! : undefined
      })
      at = next
    }
    return { number, items, options: options ?? undefined }
  })
}

/**
 * The results of one call. An item that was appended takes three numbers: sequence, offset and shard, or -1
 * less the shard if it was repeated. One that was not takes its code, and its message or null.
 */
export type ResultList = Array<number | string | null>

export function listResults (results: readonly AppendResult[]): ResultList {
  const list: ResultList = []
  for (const result of results) {
    if ('error' in result) list.push(result.error, result.message ?? null)
    else {
      const { sequence, offset, shard, repeated } = result
      list.push(sequence, offset, repeated === true ? -1 - shard : shard)
    }
  }
  return list
}

export function readResults (list: ResultList): AppendResult[] {
  const results: AppendResult[] = []
  for (let at = 0; at < list.length;) {
    const first = list[at++]!
    if (typeof first === 'string') {
      const message = list[at++] as string | null
      results.push({ error: first as ErrorCode, ...(message === null ? {} : { message }) })
      continue
    }
    const [offset, shard] = [list[at++] as number, list[at++] as number]
    if (shard < 0) results.push({ sequence: first, offset, shard: -1 - shard, repeated: true })
    else results.push({ sequence: first, offset, shard })
  }
  return results
}
