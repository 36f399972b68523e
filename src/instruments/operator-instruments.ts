import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import {
  type Instrument, type InstrumentOverride, instrumentOverrides, type JsonItem, topicKey
} from '@tickwire/protocol'
import type { Hub } from '../hub/hub.js'
import type { Publication, Publisher, PublishResult } from '../publisher/publisher.js'
import type { PutAnswer, RemoveAnswer } from './answers.js'
import { instrumentFault } from './check.js'

/** How long an answer waits until this server knows what it has published, and how often it looks. */
const HEARD_MS = 1000
const LOOK_MS = 5

type Rejected = PutAnswer['rejected'][number]

/** What operators say of instruments: it stands above what sources declare (ADR 43). */
export class OperatorInstruments {
  constructor (
    private readonly publisher: Pick<Publisher, 'publishOwn'>,
    private readonly hub: Pick<Hub, 'directory' | 'membership'>
  ) {}

  /**
   * Declares instruments, or replaces what was known of them. Each item is judged by itself.
   * @throws ProtocolError `log_unavailable` if the log took none
   */
  async put (items: readonly JsonItem[]): Promise<PutAnswer> {
    const { known } = this.hub.directory
    const rejected: Rejected[] = []
    const news: Array<{ readonly index: number, readonly instrument: Instrument }> = []
    const indexes = new Map<string, number>()
    for (const [index, { value, error }] of items.entries()) {
      const fault = error ?? instrumentFault(value)
      if (fault !== undefined) {
        const named = 'field' in fault ? { field: fault.field } : {}
        rejected.push({ index, ...named, code: 'invalid_message', message: fault.message })
        continue
      }
      const instrument = value as Instrument
      const { symbol } = instrument
      const first = indexes.get(symbol)
      if (first !== undefined) {
        const message = `the item ${first} has this symbol, too`
        rejected.push({ index, field: 'symbol', code: 'invalid_message', message })
        continue
      }
      indexes.set(symbol, index)
      // What is said again as it is known would only look like a move between sets to clients that resume.
      if (!isDeepStrictEqual(known.overrideOf(symbol), instrument)) news.push({ index, instrument })
    }
    const publications = news.map(({ instrument }) => overrideOf(instrument.symbol, instrument))
    for (const [index, result] of (await this.publish(publications)).entries()) {
      if (!('code' in result)) continue
      const { code, message } = result
      rejected.push({ index: news[index]!.index, code, message })
    }
    rejected.sort((a, b) => a.index - b.index)
    return { accepted: items.length - rejected.length, rejected }
  }

  /** Removes instruments, whoever declared them. @throws as {@link put} */
  async remove (symbols: readonly string[]): Promise<RemoveAnswer> {
    const { known } = this.hub.directory
    const unique = [...new Set(symbols)]
    const present = unique.filter(symbol => known.get(symbol) !== undefined)
    const absent = unique.filter(symbol => known.get(symbol) === undefined)
    const results = await this.publish(present.map(symbol => {
      // Where no source declares it, nothing need be remembered.
      return overrideOf(symbol, known.declaredAs(symbol) === undefined ? null : { symbol, removed: true })
    }))
    const refused = results.flatMap((result, index) =>
      'code' in result ? [{ symbol: present[index]!, code: result.code, message: result.message }] : [])
    return {
      removed: present.filter((_, index) => !('code' in results[index]!)),
      rejected: [
        ...absent.map(symbol => ({ symbol, code: 'not_found', message: 'there is no such instrument' })),
        ...refused
      ]
    }
  }

  /** Publishes, and waits until this server itself knows it: who asks next reads what was said. */
  private async publish (publications: readonly Publication[]): Promise<readonly PublishResult[]> {
    if (publications.length === 0) return []
    const results = await this.publisher.publishOwn(publications)
    const isSettled = (result: PublishResult, index: number): boolean =>
      'code' in result || this.isSettled(publications[index]!, result.sequence)
    const deadline = performance.now() + HEARD_MS
    let settled = 0
    for (;;) {
      while (settled < results.length && isSettled(results[settled]!, settled)) settled++
      if (settled === results.length || performance.now() >= deadline) return results
      await delay(LOOK_MS)
    }
  }

  /**
   * Returns whether this server has heard a message of an override, and has moved its instrument between
   * sets.
   */
  private isSettled ({ channel, symbol }: Publication, sequence: number): boolean {
    const { directory, membership } = this.hub
    if ((directory.last(topicKey({ channel, symbol }))?.sequence ?? 0) < sequence) return false
    return membership.entrance(directory.instrument(symbol!) ?? { symbol: symbol! }) === undefined
  }
}

const overrideOf = (symbol: string, data: InstrumentOverride | null): Publication =>
  ({ channel: instrumentOverrides.name, symbol, data })
