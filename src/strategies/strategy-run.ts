import {
  type Bar, barChannels, barsChannel, channelOfKey, type Order, orders, parseTopicKey, type Quote, quotes,
  strategies, strategy, type StrategyMessage, type StrategyRecord, type StrategyResults, topicKey
} from '@tickwire/protocol'
import { COMMON_SHARD, type Entry, lastKept, type Log } from '../log/log.js'
import { EpochWatch } from '../processors/epochs.js'
import { type Arrival, arrivals } from '../processors/arrivals.js'
import { readTopic, ShardInputs } from '../processors/shard-inputs.js'
import type { SourceContext, SourceMessage } from '../sources/source.js'
import { BarHistory } from './bar-history.js'
import { intervalOf, type Registered, type StrategyRegistry } from './registry.js'
import { Results } from './results.js'
import { RunningStrategy } from './running-strategy.js'
import type { SubmitOrder } from './strategy-orders.js'
import type { StrategyRecords } from './strategy-records.js'
import { WorkerPool } from './workers/pool.js'

const NO_RESULTS = Results.of().kept()
/** How often profits are said, and what must outlive the run is kept. */
const SUM_MS = 1000
/**
 * A run that takes over gives strategies the bars of this time once more as new ones. Signals and orders have
 * keys that follow from their bars, so that none comes twice.
 */
const REPEATED_MS = 60_000

export interface StrategyRunOptions {
  readonly log: Log
  readonly registry: StrategyRegistry
  readonly records: StrategyRecords
  /** How long a call of a strategy may take, in milliseconds. */
  readonly callMs: number
  /** The most strategies that run. */
  readonly most: number
  /** Undefined: there is no broker. */
  readonly submit: SubmitOrder | undefined
}

interface Running {
  readonly user: string
  readonly running: RunningStrategy
  readonly topics: readonly string[]
}

/** Runs the strategies of all users until the log begins an epoch, or the run falls too far behind. */
export class StrategyRun {
  private readonly pool: WorkerPool
  /** By id. */
  private readonly all = new Map<string, Running>()
  /** By topic, the strategies that get its messages. */
  private readonly byTopic = new Map<string, Set<RunningStrategy>>()
  /** By topic of bars. */
  private readonly histories = new Map<string, BarHistory>()
  /** By id, what was kept last: the list of a user may be older. */
  private readonly results = new Map<string, StrategyResults>()
  /** By id, the status that was said last. */
  private readonly statuses = new Map<string, string>()
  /** By user, the sequence of the list that was read last. */
  private readonly read = new Map<string, number>()
  private messages: SourceMessage[] = []
  private isPublishing = false
  private summedAt = performance.now()
  private readonly publish: () => void

  private constructor (
    private readonly options: StrategyRunOptions,
    private readonly context: SourceContext,
    private readonly inputs: readonly ShardInputs[],
    private readonly watch: EpochWatch
  ) {
    this.pool = new WorkerPool(options.callMs)
    this.publish = context.guard(() => this.publishAll())
  }

  /** @throws ProtocolError `log_unavailable` */
  static async begin (options: StrategyRunOptions, context: SourceContext): Promise<StrategyRun> {
    const { log } = options
    const channels = [strategies.name, orders.name, quotes.name, ...barChannelNames()]
    const inputs = await ShardInputs.followAll(log, new Set(channels))
    try {
      return new StrategyRun(options, context, inputs, await EpochWatch.start(log))
    } catch (error) {
      for (const input of inputs) input.end()
      throw error
    }
  }

  /** Runs until the signal is aborted. @throws BeginAnew, ProtocolError `log_unavailable` */
  async loop (): Promise<void> {
    const { context: { signal }, inputs, watch } = this
    await this.readAll()
    while (!signal.aborted && await watch.holds()) {
      for (const arrival of await arrivals(inputs, SUM_MS, signal)) await this.take(arrival)
      if (performance.now() - this.summedAt < SUM_MS) continue
      this.summedAt = performance.now()
      for (const { running } of this.all.values()) running.saySum()
      await this.keep(this.all.values())
    }
  }

  async end (): Promise<void> {
    for (const input of this.inputs) input.end()
    for (const { running } of this.all.values()) running.end()
    await this.pool.close()
    await this.keep(this.all.values())
  }

  private async readAll (): Promise<void> {
    const { log } = this.options
    for (const topic of await this.inputs[COMMON_SHARD]!.topics()) {
      if (channelOfKey(topic) !== strategies.name) continue
      const state = await log.snapshot(topic)
      if (state !== undefined) await this.sync(state)
    }
  }

  private async take ({ entry, input }: Arrival): Promise<void> {
    const { topic, payload, timestamp, sequence, offset } = entry
    const channel = channelOfKey(topic)
    if (channel === strategies.name) {
      await this.sync(entry)
      return
    }
    const listeners = this.byTopic.get(topic)
    if (listeners === undefined) return
    if (channel === orders.name) {
      const order = JSON.parse(payload) as Order
      const at = { epoch: input.head.epoch, offset }
      for (const running of listeners) running.hearOrder(order, at, timestamp, sequence)
    } else if (channel === quotes.name) {
      const quote = JSON.parse(payload) as Quote
      for (const running of listeners) running.hearQuote(quote, timestamp, sequence)
    } else this.takeBar(entry, listeners)
  }

  private takeBar ({ topic, payload, timestamp }: Entry, listeners: Iterable<RunningStrategy>): void {
    const past = this.histories.get(topic)?.add(JSON.parse(payload) as Bar, timestamp)
    if (past !== undefined) for (const running of listeners) running.hearBar(past)
  }

  /** Makes the strategies of a user run as their list says. */
  private async sync (
    { topic, payload, sequence }: Pick<Entry, 'topic' | 'payload' | 'sequence'>
  ): Promise<void> {
    const user = parseTopicKey(topic).user!
    // Messages may wait that are older than the list that was read.
    if (sequence <= (this.read.get(user) ?? 0)) return
    this.read.set(user, sequence)
    const { strategies: records = [] } =
      (JSON.parse(payload) ?? {}) as { readonly strategies?: readonly StrategyRecord[] }
    const byId = new Map(records.map(record => [record.strategy_id, record]))
    for (const [id, { running, user: owner }] of this.all) {
      if (owner !== user) continue
      const record = byId.get(id)
      if (record === undefined) {
        await this.drop(id, 'stopped', 'its user has deleted it')
        this.results.delete(id)
      } else if (record.status !== 'running' || record.version !== running.record.version) {
        // A newer version that runs, too, has been paused and resumed since.
        await this.drop(id, record.status === 'running' ? 'paused' : record.status, record.reason)
      }
    }
    for (const record of records) {
      if (record.status === 'running') {
        if (!this.all.has(record.strategy_id)) await this.start(user, record)
      } else await this.restate(user, record)
    }
  }

  private async drop (id: string, status: StrategyRecord['status'], reason?: string): Promise<void> {
    const dropped = this.all.get(id)!
    const { running, topics } = dropped
    running.end(status, reason)
    this.all.delete(id)
    await this.keep([dropped])
    for (const topic of topics) {
      const listeners = this.byTopic.get(topic)
      listeners?.delete(running)
      if (listeners?.size !== 0) continue
      this.byTopic.delete(topic)
      this.histories.delete(topic)
    }
  }

  /** Says what has become of a strategy, unless that was said. */
  private async restate (user: string, record: StrategyRecord): Promise<void> {
    const { strategy_id: id, name, symbol, mode, status, reason, results } = record
    const said = this.statuses.get(id) ?? await this.statusOf(user, id)
    if (said === status) return
    const { position, realized_pnl: realized, fees } = results ?? NO_RESULTS
    this.say(user, id, {
      strategy_id: id,
      name,
      status,
      symbol,
      mode,
      ...reason === undefined ? {} : { reason },
      position,
      realized_pnl: realized,
      fees
    })
  }

  /** Returns the status that the log has of a strategy. */
  private async statusOf (user: string, id: string): Promise<string | undefined> {
    const state = await this.options.log.snapshot(topicKey({ channel: strategy.name, symbol: id, user }))
    return state === undefined ? undefined : (JSON.parse(state.payload) as StrategyMessage).status
  }

  private async start (user: string, listed: StrategyRecord): Promise<void> {
    const { registry, most, submit } = this.options
    const { strategy_id: id, name, symbol } = listed
    const results = this.results.get(id) ?? listed.results
    const record = results === undefined ? listed : { ...listed, results }
    const registered = registry.get(name)
    const fault = registered === undefined
      ? `${name} has failed: this server has no such strategy`
      : this.all.size >= most ? `${name} has failed: the server runs at most ${most} strategies` : undefined
    if (registered === undefined || fault !== undefined) {
      this.say(user, id, { strategy_id: id, name, status: 'failed', symbol, reason: fault! })
      this.noteFailure(user, record, fault!)
      return
    }
    const bars = this.barsTopic(registered, record)
    const running = new RunningStrategy({
      user,
      record,
      registered,
      pool: this.pool,
      history: bars === undefined ? undefined : await this.historyOf(bars),
      from: Math.max(Date.parse(record.updated_at), results?.time ?? 0, Date.now() - REPEATED_MS),
      submit,
      say: (data, key) => { this.say(user, id, data, key) },
      failed: reason => { this.noteFailure(user, record, reason) },
      log: line => {
        const fields = { event: 'strategy', strategy: name, strategy_id: id, line }
        this.context.logger.info(fields, 'a strategy says')
      }
    })
    const topics = [
      ...bars === undefined ? [] : [bars],
      topicKey({ channel: quotes.name, symbol }),
      topicKey({ channel: orders.name, user })
    ]
    await this.countOrders(running, topics.at(-1)!)
    this.all.set(id, { user, running, topics })
    for (const topic of topics) {
      const listeners = this.byTopic.get(topic) ?? new Set()
      this.byTopic.set(topic, listeners.add(running))
    }
    running.start()
  }

  private noteFailure (user: string, record: StrategyRecord, reason: string): void {
    const { strategy_id: id, name } = record
    const { logger } = this.context
    logger.warn({ event: 'strategy', strategy: name, strategy_id: id, reason }, 'a strategy has failed')
    void this.options.records.fail(user, record, reason, Date.now()).catch((error: unknown) => {
      logger.error({ err: error, strategy_id: id }, 'could not note that a strategy has failed')
    })
  }

  private barsTopic (registered: Registered, { symbol, parameters }: StrategyRecord): string | undefined {
    const interval = intervalOf(registered, parameters)
    return interval === undefined ? undefined : topicKey({ channel: barsChannel(interval), symbol })
  }

  /** Returns the history of a topic of bars; reads it from the log for the first strategy that needs it. */
  private async historyOf (topic: string): Promise<BarHistory> {
    let history = this.histories.get(topic)
    if (history !== undefined) return history
    history = new BarHistory()
    for await (const { payload, timestamp } of this.retained(topic)) {
      history.add(JSON.parse(payload) as Bar, timestamp)
    }
    this.histories.set(topic, history)
    return history
  }

  /** Counts what has come of its orders while no run has followed them. The strategy is not told of them. */
  private async countOrders (running: RunningStrategy, topic: string): Promise<void> {
    const { mode, results } = running.record
    if (mode !== 'paper') return
    const { log } = this.options
    const [head] = await log.head([log.shardOf(topic)])
    // If the log has lost orders that were counted, the strategy goes on from what is left.
    const from = results?.offset === undefined
      ? 0
      : lastKept({ epoch: results.epoch!, offset: results.offset }, head!)
    for await (const { payload, offset } of this.retained(topic, from)) {
      running.countOrder(JSON.parse(payload) as Order, { epoch: head!.epoch, offset })
    }
  }

  /** Reads what the log has of a topic by now. @throws BeginAnew */
  private async * retained (topic: string, from = 0): AsyncGenerator<Entry> {
    const { log } = this.options
    const [head] = await log.head([log.shardOf(topic)])
    for await (const page of readTopic(log, topic, from, head!)) for (const { entry } of page) yield entry
  }

  private say (user: string, id: string, data: StrategyMessage, idempotencyKey?: string): void {
    this.statuses.set(id, data.status)
    const key = idempotencyKey === undefined ? {} : { idempotencyKey }
    this.messages.push({ channel: strategy.name, symbol: id, user, data, ...key })
    this.publish()
  }

  private async publishAll (): Promise<void> {
    if (this.isPublishing) return
    this.isPublishing = true
    try {
      while (this.messages.length > 0 && !this.context.signal.aborted) {
        const messages = this.messages
        this.messages = []
        await this.context.publish(messages)
      }
    } finally {
      this.isPublishing = false
    }
  }

  /** Keeps what strategies have bought and sold, of those for which that has changed. */
  private async keep (strategies: Iterable<Running>): Promise<void> {
    const byUser = new Map<string, Map<RunningStrategy, StrategyResults>>()
    for (const { user, running } of strategies) {
      const results = running.takeResults()
      if (results === undefined) continue
      this.results.set(running.id, results)
      const changed = byUser.get(user) ?? new Map<RunningStrategy, StrategyResults>()
      byUser.set(user, changed.set(running, results))
    }
    await Promise.all(Array.from(byUser, async ([user, changed]) => {
      const byId = new Map(Array.from(changed, ([{ id }, results]) => [id, results]))
      try {
        await this.options.records.keep(user, byId)
      } catch (error) {
        for (const running of changed.keys()) running.untakeResults()
        this.context.logger.error({ err: error, strategies: [...byId.keys()] },
          'could not keep what strategies have bought and sold; trying again')
      }
    }))
  }
}

const barChannelNames = (): string[] => barChannels.map(({ name }) => name)
