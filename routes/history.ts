import { type ChannelDefinition, parseInteger, ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { errorMessage, toProtocolError } from '../src/errors.js'
import { CsvWriter } from '../src/history/csv.js'
import { formatPlace, type HistoryPlace, parsePlace } from '../src/history/history-place.js'
import type { HistoryItem, HistoryRange } from '../src/history/history-reader.js'
import { preferencesOf } from '../src/transports/preferences.js'
import { parseInstant } from './instants.js'
import { StreamedAnswers } from './streamed-answers.js'

/** The parameters of `GET /v1/history` that go with `channel`. */
export const HISTORY_PARAMETERS = ['channel', 'symbol', 'from', 'to', 'after', 'limit', 'format'] as const

const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 10_000
/** Characters of messages in one answer of JSON. */
const MAX_CHARACTERS = 1 << 20
const MAX_STREAMED = 1_000_000_000

type Format = 'json' | 'ndjson' | 'csv'
const TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv'
}

export interface HistoryQuery extends HistoryRange {
  readonly format: Format
  readonly limit: number
}

/** Reads what a request asks for. @throws ProtocolError `bad_request` */
export function parseHistoryQuery (
  parameters: ReadonlyMap<string, readonly string[]>, accept: string | undefined
): HistoryQuery {
  const one = (name: string): string | undefined => parameters.get(name)?.[0]
  const format = formatOf(one('format'), accept)
  const [from, to] = [parseInstant('from', one('from')), parseInstant('to', one('to'))]
  if (from !== undefined && to !== undefined && from > to) {
    throw new ProtocolError('bad_request', "'from' is later than 'to'")
  }
  const text = one('after')
  const after = text === undefined ? undefined : parsePlace(text)
  if (text !== undefined && after === undefined) {
    throw new ProtocolError('bad_request', "'after' is not a position that this endpoint gave as 'next'")
  }
  const limit = one('limit')
  const isJson = format === 'json'
  return {
    format,
    from,
    to,
    after,
    limit: limit === undefined
      ? isJson ? DEFAULT_LIMIT : MAX_STREAMED
      : parseInteger('limit', limit, 1, isJson ? MAX_LIMIT : MAX_STREAMED)
  }
}

function formatOf (text: string | undefined, accept: string | undefined): Format {
  const formats = Object.keys(TYPES) as Format[]
  if (text !== undefined) {
    const format = formats.find(name => name === text)
    if (format !== undefined) return format
    throw new ProtocolError('bad_request', `'format' is one of ${formats.join(', ')}`)
  }
  const named = preferencesOf(accept).filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .flatMap(({ name }) => formats.find(format => TYPES[format] === name) ?? [])
  return named[0] ?? 'json'
}

interface Answer {
  readonly topic: string
  readonly channel: ChannelDefinition
  readonly query: HistoryQuery
  /** Whose request it is (`callerOf`). */
  readonly caller: string
}

/** Makes the answers of `GET /v1/history` for a channel. */
export class HistoryAnswers {
  private readonly streams = new StreamedAnswers()

  constructor (private readonly app: FastifyInstance) {}

  /** Returns an answer of JSON. */
  async json ({ topic, query }: Answer): Promise<string> {
    const { limit, after } = query
    const messages: string[] = []
    let [left, characters] = [limit, 0]
    let place = after
    let more = false
    for await (const item of this.items(topic, query)) {
      const isFull = left === 0 || characters > MAX_CHARACTERS
      if (isFull) {
        more = true
        break
      }
      const text = this.written(topic, item)
      messages.push(text)
      characters += text.length
      if (!('place' in item)) continue
      left--
      place = item.place
    }
    return `{"messages":[${messages.join(',')}],"next":${nextOf(place)},"more":${more}}`
  }

  /**
   * Sends lines as the client reads them.
   * @throws ProtocolError `overloaded`; whatever the first part of the history fails with
   */
  async stream (reply: FastifyReply, answer: Answer): Promise<FastifyReply> {
    const lines = answer.query.format === 'csv' ? this.csv(answer) : this.ndjson(answer)
    const type = `${TYPES[answer.query.format]}; charset=utf-8`
    return await this.streams.send(reply, { type, caller: answer.caller, lines })
  }

  private async * ndjson ({ topic, query }: Answer): AsyncGenerator<string> {
    let left = query.limit
    let place = query.after
    let isBegun = false
    try {
      for await (const item of this.items(topic, query)) {
        if (left === 0) {
          yield `{"type":"end","next":${nextOf(place)},"more":true}\n`
          return
        }
        yield `${this.written(topic, item)}\n`
        isBegun = true
        if (!('place' in item)) continue
        left--
        place = item.place
      }
      yield `{"type":"end","next":${nextOf(place)},"more":false}\n`
    } catch (error) {
      if (!isBegun) throw error
      yield `${JSON.stringify(errorMessage(toProtocolError(error)))}\n`
    }
  }

  private async * csv ({ topic, channel, query }: Answer): AsyncGenerator<string> {
    const csv = new CsvWriter(channel)
    let left = query.limit
    let isBegun = false
    for await (const item of this.items(topic, query)) {
      if (!isBegun) yield csv.head
      isBegun = true
      // A gap shows in the sequences.
      if (!('place' in item)) continue
      if (left-- === 0) return
      const { sequence, timestamp, data } = item.row
      yield csv.line({ sequence, timestamp: new Date(timestamp).toISOString(), data: JSON.parse(data) })
    }
    if (!isBegun) yield csv.head
  }

  private async * items (topic: string, range: HistoryRange): AsyncGenerator<HistoryItem> {
    for await (const page of this.app.streaming.histories.read(topic, range)) yield * page
  }

  private written (topic: string, item: HistoryItem): string {
    const { writer } = this.app.streaming.stream.dialects.native()
    if ('reset' in item) return writer.reset(topic, item.reset)
    const { sequence, timestamp, snapshot, data } = item.row
    return writer.data({ topic, sequence, timestamp, replaces: snapshot === 1, payload: data })
  }
}

const nextOf = (place: HistoryPlace | undefined): string =>
  place === undefined ? 'null' : `"${formatPlace(place)}"`
