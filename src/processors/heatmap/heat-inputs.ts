import { book, type Book, type HeatmapKind, type Trade, topicKey, trades } from '@tickwire/protocol'
import type { HeatRow } from '../../heatmap/heat-row.js'
import { LiquidationModel } from '../../heatmap/liquidations.js'
import { isPrice, withoutZeros } from '../../heatmap/numbers.js'
import { RestingSizes } from '../../heatmap/resting.js'
import type { Entry, Log } from '../../log/log.js'
import { readTopic, ShardInputs } from '../shard-inputs.js'

/** The channel from which each kind of heatmap follows. */
export const inputOfKind: Readonly<Record<HeatmapKind, string>> = {
  liquidation: trades.name, book: book.name
}

/** A client that polls now and then does not make a model begin anew each time. */
const KEPT_MS = 60_000
/** Models that are kept although nobody wants them, those wanted last. */
const MAX_KEPT = 200

/**
 * A trade counts as at most so much later than the log has accepted it. One from a far future would set the
 * clock of its model so far ahead that all other positions were closed by then.
 */
const EARLY_MS = 60_000

/** A model of one topic: what it knows, and up to which message. */
interface Model {
  /** The last message that it has taken. */
  sequence: number
  /** @param accepted when the log accepted the message, in milliseconds since 1970 */
  take (payload: string, replaces: boolean, accepted: number): void
  rows (now: number): HeatRow[]
}

/** Follows trades and books, and has models of those for which somebody wants a heatmap. */
export class HeatInputs {
  /** By the topic that a model reads. */
  private readonly models = new Map<string, Model>()
  /** When each model was last wanted; those wanted last come last. */
  private readonly wantedAt = new Map<string, number>()

  private constructor (private readonly log: Log, private readonly shards: readonly ShardInputs[]) {}

  /** @throws ProtocolError `log_unavailable` */
  static async follow (log: Log): Promise<HeatInputs> {
    return new HeatInputs(log, await ShardInputs.followAll(log, new Set(Object.values(inputOfKind))))
  }

  /** Gives the models what has come since the last call. @throws BeginAnew */
  async read (signal: AbortSignal): Promise<void> {
    for (const input of this.shards) {
      for (const entry of await input.next(0, signal)) {
        const model = this.models.get(entry.topic)
        if (model !== undefined) takeEntry(model, entry)
      }
    }
  }

  /**
   * Returns the rows of a heatmap as its model has them now; none if there is nothing to make it of. A new
   * model begins with all that the log retains.
   * @param now in milliseconds since 1970
   * @throws BeginAnew, ProtocolError `log_unavailable`
   */
  async rows (symbol: string, kind: HeatmapKind, now: number): Promise<readonly HeatRow[]> {
    const topic = topicKey({ channel: inputOfKind[kind], symbol })
    let model = this.models.get(topic)
    if (model === undefined) {
      model = kind === 'book' ? bookModel(symbol) : liquidationModel(symbol)
      if (kind === 'book') await this.readState(topic, model)
      else await this.readAll(topic, model)
      this.models.set(topic, model)
    }
    this.touch(topic, now)
    return model.rows(now)
  }

  /**
   * Forgets the models whose heatmaps nobody has wanted for a while.
   * @param wanted `kind` and `symbol` of those that are wanted
   * @param now as in {@link rows}
   */
  keep (wanted: ReadonlyArray<readonly [HeatmapKind, string]>, now: number): void {
    const { models, wantedAt } = this
    for (const [kind, symbol] of wanted) this.touch(topicKey({ channel: inputOfKind[kind], symbol }), now)
    for (const [topic, at] of wantedAt) {
      if (now - at < KEPT_MS && wantedAt.size <= wanted.length + MAX_KEPT) break
      wantedAt.delete(topic)
      models.delete(topic)
    }
  }

  end (): void {
    for (const input of this.shards) input.end()
  }

  private touch (topic: string, now: number): void {
    this.wantedAt.delete(topic)
    this.wantedAt.set(topic, now)
  }

  private async readState (topic: string, model: Model): Promise<void> {
    const state = await this.log.snapshot(topic)
    if (state === undefined) return
    model.take(state.payload, true, state.timestamp)
    model.sequence = state.sequence
  }

  private async readAll (topic: string, model: Model): Promise<void> {
    const { epoch } = this.shards[this.log.shardOf(topic)]!.head
    for await (const page of readTopic(this.log, topic, 0, { epoch, offset: Infinity })) {
      for (const { entry } of page) takeEntry(model, entry)
    }
  }
}

function takeEntry (model: Model, { sequence, payload, replaces, timestamp }: Entry): void {
  if (sequence <= model.sequence) return
  model.sequence = sequence
  model.take(payload, replaces, timestamp)
}

function liquidationModel (symbol: string): Model {
  const model = new LiquidationModel()
  let current: string | undefined
  let time = 0
  return {
    sequence: 0,
    take (payload, _replaces, accepted) {
      const { price, size, side, timestamp, corrects } = JSON.parse(payload) as Trade
      // A correction opens no position.
      if (corrects !== undefined || !isPrice(Number(price))) return
      current = withoutZeros(price)
      time = Math.max(time, Math.min(Date.parse(timestamp) || 0, accepted + EARLY_MS))
      model.trade({ price: Number(price), size: Number(size), side, time })
    },
    rows () {
      const map = model.map()
      if (map === undefined || current === undefined) return []
      const shared = {
        symbol,
        kind: 'liquidation' as const,
        price_step: map.priceStep,
        current_price: current,
        as_of: new Date(time).toISOString(),
        positions_created: map.created,
        positions_consumed: map.consumed
      }
      return map.levels.map(([price, a, b]) => ({ ...shared, price, a, b }))
    }
  }
}

function bookModel (symbol: string): Model {
  const model = new RestingSizes()
  return {
    sequence: 0,
    take (payload, replaces, timestamp) {
      model.take(JSON.parse(payload) as Book, replaces, timestamp)
    },
    rows (now) {
      const map = model.map(now)
      if (map === undefined) return []
      const shared = {
        symbol,
        kind: 'book' as const,
        price_step: map.priceStep,
        current_price: map.currentPrice,
        as_of: new Date(now).toISOString(),
        positions_created: null,
        positions_consumed: null
      }
      return map.levels.map(([price, a, b]) => ({ ...shared, price, a, b }))
    }
  }
}
