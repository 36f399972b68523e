import { Type } from '@sinclair/typebox'
import { heatmap, isSymbol, MAX_SYMBOLS, ProtocolError, type RejectedSymbol } from '@tickwire/protocol'
import { beginSubscriptions } from '../../connection/actions/subscribe.js'
import { noteUnsubscribed } from '../../connection/actions/unsubscribe.js'
import type { Connection } from '../../connection/connection.js'
import type { CountByName } from '../../connection/counts.js'
import { receiveAs } from '../../connection/dispatch.js'
import { resolveSelectors, spelledSymbol } from '../../connection/selectors.js'
import { errorText, HeatmapWriter, invalidSymbol, pong } from '../../dialects/heatmap/writer.js'
import type { KeptTexts } from '../../dialects/kept-texts.js'
import { LinesDialect } from '../../dialects/lines-dialect.js'
import type { Speech } from '../../transports/ws/index.js'
import { type OlderAction, olderAction, readOlderAction } from '../older-action.js'
import { AskedSymbols } from './asked-symbols.js'
import type { MinuteCount } from './minute-count.js'

/** What all sessions of a server share. */
export interface HeatmapContext {
  readonly snapshots: KeptTexts
  readonly sessions: Set<HeatmapSession>
  /** How many sessions have asked for a symbol, by its spelling. */
  readonly askedBy: CountByName
  /** The snapshots that were sent. */
  readonly sent: MinuteCount
  /** How often a client was found not to read what it was sent. */
  slow: number
}

/** How many instruments an error lists. */
const MAX_LISTED = 10
/** How much an error repeats of a text that may be no symbol. */
const MAX_SHOWN = 64
/** In seconds: what `throttle_ms` allows. */
const UPDATE_INTERVAL = { minimum: 0.01, maximum: 60 }

const Symbols = Type.Array(Type.String(), { minItems: 1, maxItems: MAX_SYMBOLS })
const SYMBOLS_REQUIRED = `symbols must be a list of 1 to ${MAX_SYMBOLS} symbols`

const subscribe = olderAction({
  schema: Type.Object({
    symbols: Symbols, update_interval: Type.Optional(Type.Number(UPDATE_INTERVAL))
  }),
  otherwise: `${SYMBOLS_REQUIRED}, and update_interval, if it is there, ` +
    `${UPDATE_INTERVAL.minimum} to ${UPDATE_INTERVAL.maximum} seconds`,
  async perform (session: HeatmapSession, { symbols, update_interval: seconds }) {
    await session.subscribe(symbols, seconds === undefined ? undefined : Math.round(seconds * 1000))
  }
})

const unsubscribe = olderAction({
  schema: Type.Object({ symbols: Symbols }),
  otherwise: SYMBOLS_REQUIRED,
  whileLagging: true,
  perform (session: HeatmapSession, { symbols }) { session.unsubscribe(symbols) }
})

const ping = olderAction({
  schema: Type.Object({}),
  otherwise: 'a message must be an object',
  atOnce: true,
  perform ({ connection }: HeatmapSession) { connection.sendAnswers([pong(Date.now())]) }
})

const actions: ReadonlyMap<string, OlderAction<HeatmapSession>> = new Map([
  ['subscribe', subscribe], ['unsubscribe', unsubscribe], ['ping', ping]
])

const MESSAGES = { field: 'action', what: 'action', actions } as const

/** One client of `/ws/heatmap` (docs/compat.md): the symbols that it has asked for, as it spells them. */
export class HeatmapSession implements Speech {
  readonly dialect: LinesDialect
  private readonly asked: AskedSymbols
  private opened: Connection | undefined

  constructor (private readonly context: HeatmapContext) {
    this.asked = new AskedSymbols(context.askedBy)
    this.dialect = new LinesDialect(new HeatmapWriter({
      snapshots: context.snapshots,
      spelled: topic => this.asked.spelled(topic),
      onSnapshots: count => { context.sent.add(count) },
      onSlow: () => { context.slow++ }
    }))
  }

  get connection (): Connection {
    return this.opened!
  }

  onOpen (connection: Connection): void {
    this.opened = connection
    this.context.sessions.add(this)
  }

  receive (connection: Connection, received: string | Buffer): void {
    receiveAs(connection, () => readOlderAction(this, MESSAGES, () => this.dialect.read(received)))
  }

  onClose (): void {
    this.asked.clear()
    this.context.sessions.delete(this)
  }

  /** Subscribes to the symbols that are good, and says of each other one what is wrong with it. */
  async subscribe (symbols: readonly string[], throttleMs: number | undefined): Promise<void> {
    const { connection, asked, connection: { context, identity } } = this
    const wellFormed = symbols.filter(isSymbol)
    const malformed = symbols.filter(symbol => !isSymbol(symbol))
    this.refuse(malformed.map(symbol => ({ symbol, ...MALFORMED })))
    if (wellFormed.length === 0) return
    const options = { throttleMs, overWebSocket: true }
    const { granted, rejected } = await resolveSelectors(
      context, identity, heatmap.name, wellFormed, options
    )
    if (!connection.isOpen) return
    this.refuse(rejected)
    if (granted.length === 0) return
    const keys = new Map(granted.map(({ symbol, key }) => [symbol, key]))
    const added = wellFormed.flatMap((symbol): Array<[string, string]> => {
      const key = keys.get(spelledSymbol(context, heatmap, symbol))
      return key === undefined || asked.has(symbol) ? [] : [[symbol, key]]
    })
    const { maxSubscriptions } = context
    if (asked.size + added.length > maxSubscriptions) {
      const message = `a connection has at most ${maxSubscriptions} subscriptions`
      throw new ProtocolError('too_many_subscriptions', message)
    }
    for (const [symbol, key] of added) asked.add(symbol, key)
    try {
      const subscription = { channel: heatmap.name, granted, rejected, throttleMs }
      await beginSubscriptions(connection, [subscription], { from: 'now' }, true)
    } catch (error) {
      for (const [symbol] of added) asked.remove(symbol)
      throw error
    }
  }

  unsubscribe (symbols: readonly string[]): void {
    const { asked, connection, connection: { subscriptions, delivery } } = this
    for (const symbol of symbols) asked.remove(symbol)
    const gone = [...subscriptions.selectors()].filter(({ key }) => !asked.needs(key))
    if (gone.length === 0) return
    delivery.detach(gone)
    noteUnsubscribed(connection, heatmap.name, gone)
  }

  /** Says of each symbol what is wrong with it. */
  private refuse (rejected: readonly RejectedSymbol[]): void {
    if (rejected.length === 0) return
    const valid = this.listed()
    const answers = rejected.map(({ symbol = '', code, message }) => {
      const shown = symbol.slice(0, MAX_SHOWN)
      return code === 'unknown_symbol' ? invalidSymbol(shown, valid) : errorText(code, `${shown}: ${message}`)
    })
    this.connection.sendAnswers(answers)
  }

  /** Names some symbols that are good. */
  private listed (): string {
    const names: string[] = []
    for (const { symbol } of this.connection.context.directory.instruments()) {
      if (names.push(symbol) === MAX_LISTED) return `${names.join(', ')}, ...`
    }
    return names.join(', ')
  }
}

const MALFORMED = { code: 'unknown_symbol', message: '' } as const
