import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Books and recordings, read by code that shares nothing with src: levels in a map, sorted when they are
 * asked for.
 */

export type Level = readonly [price: string, size: string]
export interface Sides { readonly bids: readonly Level[], readonly asks: readonly Level[] }

/** A price of any spelling, as a whole number of 10^-20: `1.5`, `1.50`. */
const value = (decimal: string): bigint => {
  const [whole = '', fraction = ''] = decimal.replace('-', '').split('.')
  return BigInt(whole + fraction.padEnd(20, '0')) * (decimal.startsWith('-') ? -1n : 1n)
}

export class NaiveBook {
  private readonly sides = { bids: new Map<bigint, Level>(), asks: new Map<bigint, Level>() }

  static of (sides: Sides): NaiveBook {
    const book = new NaiveBook()
    book.apply(sides)
    return book
  }

  clear (): void {
    this.sides.bids.clear()
    this.sides.asks.clear()
  }

  apply (changes: Sides): void {
    for (const name of ['bids', 'asks'] as const) {
      for (const level of changes[name]) {
        if (Number(level[1]) === 0) this.sides[name].delete(value(level[0]))
        else this.sides[name].set(value(level[0]), [level[0], level[1]])
      }
    }
  }

  /** Best first. */
  levels (depth = Infinity): { bids: Level[], asks: Level[] } {
    const sorted = (side: Map<bigint, Level>, direction: 1n | -1n): Level[] =>
      [...side].sort(([a], [b]) => (a - b) * direction > 0n ? 1 : -1).map(([, level]) => level)
    return {
      bids: sorted(this.sides.bids, -1n).slice(0, depth),
      asks: sorted(this.sides.asks, 1n).slice(0, depth)
    }
  }

  /** Forgets what is beyond a depth. */
  cut (depth: number): void {
    const kept = this.levels(depth)
    this.clear()
    this.apply(kept)
  }

  equals (other: NaiveBook): boolean {
    return (['bids', 'asks'] as const).every(name => {
      const [own, its] = [this.sides[name], other.sides[name]]
      if (own.size !== its.size) return false
      for (const [price, [, size]] of own) if (its.get(price)?.[1] !== size) return false
      return true
    })
  }

  toString (): string {
    return JSON.stringify(this.levels())
  }
}

/** Holds what the messages of a book say, or that it is stale. */
export class Follower {
  readonly book = new NaiveBook()
  state: 'nothing' | 'good' | 'stale' = 'nothing'

  take (
    { snapshot, data }: { readonly snapshot?: boolean, readonly data: Sides & { readonly stale?: true } }
  ): void {
    if (snapshot === true) {
      this.book.clear()
      this.state = data.stale === true ? 'stale' : 'good'
    } else if (this.state !== 'good') throw new Error(`an update of a book of which there is ${this.state}`)
    if (data.stale === true && (snapshot !== true || data.bids.length + data.asks.length > 0)) throw new Error('a stale message with levels')
    this.book.apply(data)
  }
}

const folder = process.env['RECORDINGS']
export const needsRecordings = { skip: folder === undefined ? 'RECORDINGS is not set' : false }

/** The frames and HTTP answers of a recording, in the order of the file. */
export function recorded (name: string): Array<{ time: number, address: string, text: string }> {
  return readFileSync(join(folder!, name), 'utf8').split('\n').flatMap(line => {
    const [, address = '', time, text] = /^(?:(\S+) -> )?(\d+\.\d+): (.*)$/.exec(line) ?? []
    return time === undefined || text === undefined ? [] : [{ time: Number(time), address, text }]
  })
}
