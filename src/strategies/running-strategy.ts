import {
  type Bar, type Order, type Quote, type StrategyMessage, type StrategyRecord, type StrategyResults,
  type StrategyStatus
} from '@tickwire/protocol'
import type { BarHistory, PastBar } from './bar-history.js'
import type { Registered } from './registry.js'
import { Results } from './results.js'
import type { MessageKind, Signal } from './strategy-instance.js'
import { StrategyOrders, type SubmitOrder } from './strategy-orders.js'
import type { WorkerPool } from './workers/pool.js'
import type { Answer } from './workers/requests.js'
import { StrategyFailure, type StrategyWorker, WorkerGone } from './workers/worker.js'

/** The share of a thread that a strategy may use, over a time. */
const CPU_SHARE = 0.2
const CPU_WINDOW_MS = 10_000
/** Messages that may wait for a strategy. */
const MAX_WAITING = 1000
const MAX_REASON = 256

export interface RunningOptions {
  readonly user: string
  readonly record: StrategyRecord
  readonly registered: Registered
  readonly pool: WorkerPool
  /** Undefined if it gets no bars. */
  readonly history: BarHistory | undefined
  /** Bars that the log took after this time count as new, in milliseconds since 1970. */
  readonly from: number
  readonly submit: SubmitOrder | undefined
  /** @param idempotencyKey of a message that may come again after a takeover */
  say (data: StrategyMessage, idempotencyKey?: string): void
  /** Called once, when it cannot go on. */
  failed (reason: string): void
  log (line: string): void
}

interface Heard {
  readonly kind: MessageKind
  readonly data: object
  readonly time: number
  /** The last price by this message. */
  readonly price: string | undefined
  /** Tells the signal of this message from all others of the strategy. */
  readonly key: string
}

/**
 * A strategy of a user while it runs: it gets messages one after another, in a worker, and its signals become
 * messages and orders. If another strategy ends its worker, it starts again in another one.
 */
export class RunningStrategy {
  readonly id: string
  private readonly orders: StrategyOrders
  private readonly inbox: Heard[] = []
  private worker: StrategyWorker | undefined
  private status: StrategyStatus = 'starting'
  private last: string | undefined
  private isBusy = false
  private isOver = false
  /** The position and profit that were said last. */
  private saidSum: string | undefined
  /** The time of its last signal. */
  private signalTime: number
  private isDirty = false
  private readonly cpu = { since: 0, used: 0 }

  constructor (private readonly options: RunningOptions) {
    const { record, history, from, submit } = options
    this.id = record.strategy_id
    this.orders = new StrategyOrders(record, Results.of(record.results), submit)
    this.signalTime = record.results?.time ?? 0
    this.last = history?.last?.bar.close
    for (const past of history?.after(from) ?? []) this.inbox.push(heardBar(past))
  }

  get record (): StrategyRecord {
    return this.options.record
  }

  /** Begins to work. */
  start (): void {
    this.say({})
    void this.work()
  }

  /** Takes a bar that has just closed. */
  hearBar (past: PastBar): void {
    this.last = past.bar.close
    if (this.options.registered.strategy.onBar !== undefined) this.hear(heardBar(past))
  }

  hearQuote (quote: Quote, time: number, sequence: number): void {
    this.last = quote.last ?? quote.bid ?? this.last
    if (this.options.registered.strategy.onQuote === undefined) return
    const waiting = this.inbox.findIndex(({ kind }) => kind === 'quote')
    if (waiting >= 0) this.inbox.splice(waiting, 1)
    this.hear({ kind: 'quote', data: quote, time, price: this.last, key: `${time}-${sequence}` })
  }

  /**
   * Takes a message of its user's orders, if it is about one of its own.
   * @param at where the log has it; one that was counted already changes nothing
   */
  hearOrder (
    order: Order, at: { readonly epoch: number, readonly offset: number }, time: number, sequence: number
  ): void {
    if (!this.orders.take(order, at)) return
    this.isDirty = true
    this.say(order.status === 'rejected' ? { reason: `its order was rejected: ${order.reason ?? ''}` } : {})
    if (this.options.registered.strategy.onOrder === undefined) return
    this.hear({ kind: 'order', data: order, time, price: this.last, key: `${time}-o${sequence}` })
  }

  /** Counts a message of its user's orders without telling it. */
  countOrder (order: Order, at: { readonly epoch: number, readonly offset: number }): void {
    if (this.orders.take(order, at)) this.isDirty = true
  }

  /** Says its position and profit if they have changed. */
  saySum (): void {
    if (!this.isOver && this.status === 'running' && this.sum().text !== this.saidSum) this.say({})
  }

  /** Returns what must be kept of it; undefined if nothing has changed since it was last asked. */
  takeResults (): StrategyResults | undefined {
    if (!this.isDirty) return undefined
    this.isDirty = false
    return { ...this.orders.kept(), time: this.signalTime }
  }

  /** Notes that what was taken was not kept. */
  untakeResults (): void {
    this.isDirty = true
  }

  /** Ends it. @param status what it says of itself then; undefined: it goes on elsewhere */
  end (status?: StrategyStatus, reason?: string): void {
    if (this.isOver) return
    this.isOver = true
    if (this.worker !== undefined) this.options.pool.leave(this.worker, this.id)
    if (status === undefined) return
    this.status = status
    this.say(reason === undefined ? {} : { reason })
  }

  private fail (reason: string): void {
    if (this.isOver) return
    const said = `${this.record.name} has failed: ${reason}`.slice(0, MAX_REASON)
    this.end('failed', said)
    this.options.failed(said)
  }

  private hear (heard: Heard): void {
    if (this.isOver) return
    this.inbox.push(heard)
    if (this.inbox.length > MAX_WAITING) this.fail(`it is too slow: ${MAX_WAITING} messages wait for it`)
    else void this.work()
  }

  /** Gives it what waits, one message after another. */
  private async work (): Promise<void> {
    if (this.isBusy) return
    this.isBusy = true
    try {
      while (!this.isOver) {
        if (this.worker === undefined) await this.begin()
        const heard = this.inbox.shift()
        if (heard === undefined) break
        await this.give(heard)
      }
    } catch (error) {
      this.fail(error instanceof StrategyFailure ? error.message : String(error))
    } finally {
      this.isBusy = false
    }
  }

  /** Begins in a worker, with the past up to the first message that waits. @throws StrategyFailure */
  private async begin (): Promise<void> {
    const { pool, registered: { module }, history, record } = this.options
    const worker = this.worker = pool.seat(this.id)
    const { name, symbol, parameters } = record
    try {
      this.note(await worker.call({ type: 'start', id: this.id, module, name, symbol, parameters }))
      // It may have been ended while the worker had not begun with it.
      if (this.isOver) worker.forget(this.id)
      const next = this.inbox.find(({ kind }) => kind === 'bar')?.data as Bar | undefined
      for (const past of history?.before(next?.start) ?? []) {
        if (this.isOver) return
        const { kind, data, time } = heardBar(past)
        this.note(await worker.call({ type: 'hear', id: this.id, kind, data, moment: this.momentAt(time) }))
      }
      if (this.isOver || this.status === 'running') return
      this.status = 'running'
      this.say({})
    } catch (error) {
      if (!(error instanceof WorkerGone)) throw error
      this.worker = undefined
    }
  }

  private async give (heard: Heard): Promise<void> {
    if (this.worker === undefined) {
      this.inbox.unshift(heard)
      return
    }
    const { kind, data, time } = heard
    try {
      const answer = await this.worker.call({
        type: 'hear', id: this.id, kind, data, moment: this.momentAt(time)
      })
      if (this.isOver) return
      this.note(answer)
      this.charge(answer.ms)
      if (answer.signal !== undefined) this.act(answer.signal, heard)
    } catch (error) {
      if (!(error instanceof WorkerGone)) throw error
      this.worker = undefined
      this.inbox.unshift(heard)
    }
  }

  private momentAt (time: number): { time: number, position: number } {
    return { time, position: this.orders.expected().toNumber() }
  }

  private note ({ lines }: Answer): void {
    for (const line of lines) this.options.log(line)
  }

  private charge (ms: number): void {
    const now = performance.now()
    if (now - this.cpu.since > CPU_WINDOW_MS) Object.assign(this.cpu, { since: now, used: 0 })
    this.cpu.used += ms
    if (this.cpu.used <= CPU_SHARE * CPU_WINDOW_MS) return
    this.fail(`it uses too much CPU: more than ${100 * CPU_SHARE} % of ${CPU_WINDOW_MS / 1000} s`)
  }

  private act ({ signal, quantity, reason }: Signal, { key, time, price }: Heard): void {
    if (this.isOver) return
    const order = this.orders.orderOf(signal, quantity, key)
    this.signalTime = time
    this.isDirty = true
    // In the mode signal nobody fills it, so that it counts as filled at once.
    const isAssumed = order !== undefined && price !== undefined && this.record.mode === 'signal'
    if (isAssumed) this.orders.assume(order, price)
    const said = order?.quantity ?? quantity
    this.say({
      signal,
      ...said === undefined ? {} : { quantity: said },
      ...price === undefined ? {} : { price },
      ...reason === undefined ? {} : { reason },
      as_of: new Date(time).toISOString()
    }, `${this.id}.${key}`)
    if (order === undefined || this.record.mode === 'signal') return
    void this.orders.send(this.options.user, order).catch((error: unknown) => {
      this.say({ reason: `its order was refused: ${String(error)}`.slice(0, MAX_REASON) })
    })
  }

  private sum (): Pick<StrategyMessage, 'position' | 'pnl' | 'realized_pnl' | 'fees'> & { text: string } {
    const { results } = this.orders
    const { position, realized_pnl: realized, fees } = results.kept()
    const pnl = results.pnl(this.last).toFixed()
    return { position, pnl, realized_pnl: realized, fees, text: `${position} ${pnl}` }
  }

  private say (more: Partial<StrategyMessage>, idempotencyKey?: string): void {
    const { name, symbol, mode } = this.record
    const { text, ...sum } = this.sum()
    this.saidSum = text
    const data = { strategy_id: this.id, name, status: this.status, symbol, mode, ...more, ...sum }
    this.options.say(data, idempotencyKey)
  }
}

function heardBar ({ bar, time }: PastBar): Heard {
  return { kind: 'bar', data: bar, time, price: bar.close, key: String(Date.parse(bar.start)) }
}
