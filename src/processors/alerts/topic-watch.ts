import { type AlertRule, WINDOW_MS } from '@tickwire/protocol'
import { NOTHING, parseAmount } from '../amount.js'
import { subtract } from './exact.js'
import { Moves } from './moves.js'
import { Decimal, type Outcome, Series } from './series.js'
import type { Watch } from './watch.js'

/** What messages of any channel have of what rules watch. */
interface Data {
  readonly last?: string
  readonly bid?: string
  readonly ask?: string
  readonly volume?: string
  /** Of a trade. */
  readonly price?: string
  readonly corrects?: string
  /** Of a bar. */
  readonly close?: string
  readonly closed?: boolean
  readonly revision?: number
}

type Field = 'last' | 'bid' | 'ask' | 'volume' | 'price' | 'spread' | 'close'

/** A series of moves, which needs the past of its topic. */
export interface MovesSeries {
  readonly field: Field
  readonly moves: Moves
  readonly series: Series
}

function fieldOf ({ type, of = 'last' }: AlertRule): Field {
  switch (type) {
    case 'volume': case 'spread': case 'close': return type
    case 'price': case 'percent': return of === 'trade' ? 'price' : of
  }
}

/** Returns what a message says of a field; undefined if it says nothing. */
export function valueOf (data: Data, field: Field): string | undefined {
  switch (field) {
    case 'spread':
      return data.bid === undefined || data.ask === undefined ? undefined : subtract(data.ask, data.bid)
    // A bar that changes after it has closed is no second close.
    case 'close': return data.closed === true && (data.revision ?? 0) === 0 ? data.close : undefined
    // A correction is of an earlier trade, and says nothing of the price now.
    case 'price': return data.corrects === undefined ? data.price : undefined
    default: return data[field]
  }
}

/** The rules of one topic. */
export class TopicWatch {
  private readonly values = new Map<Field, Series>()
  private readonly moves = new Map<string, MovesSeries>()
  private readonly decimal = new Decimal()

  get isEmpty (): boolean {
    return this.values.size === 0 && this.moves.size === 0
  }

  /** @returns the series of moves that began with the rule; undefined if none did */
  add (watch: Watch): MovesSeries | undefined {
    const field = fieldOf(watch.rule)
    const { within } = watch.rule
    if (within === undefined) {
      let series = this.values.get(field)
      if (series === undefined) this.values.set(field, series = new Series())
      series.add(watch)
      return undefined
    }
    const key = `${field} ${within}`
    const known = this.moves.get(key)
    const found = known ?? { field, moves: new Moves(WINDOW_MS[within]), series: new Series() }
    this.moves.set(key, found)
    found.series.add(watch)
    return known === undefined ? found : undefined
  }

  remove (watch: Watch): void {
    const field = fieldOf(watch.rule)
    const { within } = watch.rule
    const key = `${field} ${within}`
    const series = within === undefined ? this.values.get(field) : this.moves.get(key)?.series
    if (watch.status !== 'gone') series?.remove(watch)
    if (series === undefined || series.size > 0) return
    if (within === undefined) this.values.delete(field)
    else this.moves.delete(key)
  }

  observe (data: Data, time: number, outcome: Outcome): void {
    const { decimal } = this
    for (const [field, series] of this.values) {
      const value = valueOf(data, field)
      if (value === undefined) continue
      decimal.value = value
      series.observe(decimal, decimal, time, outcome)
    }
    if (this.moves.size === 0) return
    let [known, exact] = ['', NOTHING]
    for (const { field, moves, series } of this.moves.values()) {
      const price = valueOf(data, field)
      if (price === undefined) continue
      // Most windows are of the same price.
      if (price !== known) [known, exact] = [price, parseAmount(price)]
      if (exact.digits <= 0n) continue
      moves.add(price, exact, time)
      series.observe(moves.rise, moves.fall, time, outcome)
    }
  }
}
