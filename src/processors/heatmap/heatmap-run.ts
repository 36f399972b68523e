import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { bookHeatmap, heatmap, type HeatmapKind } from '@tickwire/protocol'
import { cutHeatmap } from '../../heatmap/cut.js'
import { Pace } from '../../heatmap/pace.js'
import type { Log } from '../../log/log.js'
import type { HeatmapCounters } from '../../metrics/heatmap-counters.js'
import type { SourceContext, WantedTopic } from '../../sources/source.js'
import { EpochWatch } from '../epochs.js'
import { BeginAnew } from '../shard-inputs.js'
import { HeatInputs } from './heat-inputs.js'
import type { HeatQueries } from './heat-queries.js'
import type { Wanted } from './wanted.js'

/** How often the run reads its inputs, and looks whether somebody wants something new. */
const LOOK_MS = 250
/** The bytes of all heatmaps in any second, so that a client of all of them gets no more. */
const BYTES_PER_SECOND = 48_000
/** The largest heatmap, and the smallest to which one is cut however many there are. */
const MAX_BYTES = 16_000
const MIN_BYTES = 1000
/** What a message has around its data, on the wire that needs most. */
const ENVELOPE_BYTES = 250

export const kindOfChannel: Readonly<Record<string, HeatmapKind>> = {
  [heatmap.name]: 'liquidation', [bookHeatmap.name]: 'book'
}

export interface HeatmapRunOptions {
  readonly log: Log
  readonly counters: HeatmapCounters
  readonly intervalMs: number
}

/** Publishes heatmaps until the log begins an epoch, or the run falls too far behind. */
export class HeatmapRun {
  /** By topic, the digest of the last data that was published, without `as_of`. */
  private readonly published = new Map<string, string>()
  private readonly pace = new Pace(BYTES_PER_SECOND, () => performance.now())
  private inputs: HeatInputs | undefined
  private readAt = -Infinity

  private constructor (
    private readonly options: HeatmapRunOptions,
    private readonly queries: HeatQueries,
    private readonly context: SourceContext,
    private readonly epochs: EpochWatch
  ) {}

  /** @throws ProtocolError `log_unavailable` */
  static async begin (
    options: HeatmapRunOptions, queries: HeatQueries, context: SourceContext
  ): Promise<HeatmapRun> {
    return new HeatmapRun(options, queries, context, await EpochWatch.start(options.log))
  }

  end (): void {
    this.inputs?.end()
  }

  /** Runs until the signal is aborted. @throws BeginAnew, and what publishing throws */
  async loop (wanted: Wanted): Promise<void> {
    const { context: { signal }, options: { intervalMs } } = this
    let before = new Set<string>()
    let nextRound = -Infinity
    while (!signal.aborted) {
      const topics = await wanted.everywhere()
      const named = topics.map(({ channel, symbol }) => [kindOfChannel[channel]!, symbol] as const)
      this.inputs?.keep(named, Date.now())
      await this.readInputs()
      const now = performance.now()
      const isRound = now >= nextRound
      if (isRound) nextRound = now + intervalMs
      // A client that has just subscribed does not wait for the next round.
      const due = isRound ? topics : topics.filter(topic => !before.has(nameOf(topic)))
      before = new Set(topics.map(nameOf))
      if (due.length > 0) await this.refresh(due, topics)
      const waitMs = Math.min(LOOK_MS, Math.max(1, nextRound - performance.now()))
      await delay(waitMs, undefined, { signal }).catch(() => {})
    }
  }

  /**
   * Makes heatmaps. Those that exist share what clients may get: a topic of which nothing is known, however
   * many of these clients subscribe to, takes nothing from the others.
   * @param wanted all heatmaps that are wanted, among them these topics
   */
  private async refresh (topics: readonly WantedTopic[], wanted: readonly WantedTopic[]): Promise<void> {
    if (!await this.epochs.holds()) throw new BeginAnew()
    const { published } = this
    let count = wanted.filter(topic => published.has(nameOf(topic))).length
    try {
      for (const topic of topics) {
        if (this.context.signal.aborted) return
        await this.readInputs()
        const isNew = !published.has(nameOf(topic))
        await this.refreshOne(topic, this.maxBytes(isNew ? count + 1 : count))
        if (isNew && published.has(nameOf(topic))) count++
      }
    } finally {
      this.queries.rest()
    }
  }

  /** Returns the bytes of each heatmap's data, if so many share what clients may get. */
  private maxBytes (count: number): number {
    const share = BYTES_PER_SECOND * this.options.intervalMs / 1000 / count
    return Math.max(MIN_BYTES, Math.min(MAX_BYTES, Math.floor(share))) - ENVELOPE_BYTES
  }

  private async refreshOne (topic: WantedTopic, maxBytes: number): Promise<void> {
    const { context: { publish, signal }, options: { counters } } = this
    const { channel, symbol } = topic
    // Figures that wait here would be old when they arrive, so nothing is queried before it may go out.
    await delay(this.pace.waitMs(maxBytes + ENVELOPE_BYTES), undefined, { signal }).catch(() => {})
    const now = Date.now()
    const made = await this.queries.make(symbol, kindOfChannel[channel]!, now, async (symbol, kind) =>
      await (await this.followed()).rows(symbol, kind, now))
    if (made === undefined) return
    const { data, cutBytes } = cutHeatmap(made, maxBytes)
    const text = JSON.stringify({ ...data, as_of: '' })
    const digest = createHash('sha256').update(text).digest('base64')
    if (this.published.get(nameOf(topic)) === digest) {
      counters.unchanged++
      return
    }
    if (signal.aborted) return
    const [answer] = await publish([{ channel, symbol, data }])
    // The next round tries again what the log has refused, for example because it has too many topics.
    if (answer === undefined || 'code' in answer) return
    this.pace.note(text.length + ENVELOPE_BYTES)
    this.published.set(nameOf(topic), digest)
    counters.sent++
    counters.cutBytes += cutBytes
  }

  private async readInputs (): Promise<void> {
    if (this.inputs === undefined || performance.now() - this.readAt < LOOK_MS) return
    this.readAt = performance.now()
    await this.inputs.read(this.context.signal)
  }

  private async followed (): Promise<HeatInputs> {
    return (this.inputs ??= await HeatInputs.follow(this.options.log))
  }
}

const nameOf = ({ channel, symbol }: WantedTopic): string => `${channel}:${symbol}`
