import { setTimeout as delay } from 'node:timers/promises'
import { publishTo } from '../fleet/publish.js'
import { Choices } from '../helpers/random.js'
import { cents, MIDDLE_CENTS } from './plan.js'

/** How far a market moves from the middle, in hundredths. */
const REACH_CENTS = 50
const MOST_LEVELS = 5
const MOST_SIZE = 9
const RETRY_MS = 50
/** If no node has taken a message after this time, the run fails. */
const GIVE_UP_MS = 60_000

interface Item {
  readonly channel: 'book' | 'trades'
  readonly symbol: string
  readonly data: object
  readonly snapshot?: true
}

/** Prices with the sizes displayed there. */
type Side = ReadonlyMap<string, string>

/**
 * The book of one symbol. No version has a new level at a price that an earlier one had: the version stands
 * in the decimals of the price. So a fill at the price of a level says which level it was.
 */
class MadeSymbol {
  private version = 0
  private middle = MIDDLE_CENTS
  private sides: readonly [bids: Side, asks: Side] = [new Map(), new Map()]
  private tradeId = 0

  constructor (private readonly symbol: string, private readonly random: Choices) {}

  /** Returns the message of the next version. */
  nextBook (): Item {
    const { symbol, random, sides: before } = this
    this.version++
    this.middle += random.integer(-4, 4)
    this.middle = Math.max(MIDDLE_CENTS - REACH_CENTS, Math.min(MIDDLE_CENTS + REACH_CENTS, this.middle))
    this.sides = [this.nextSide(before[0], -1), this.nextSide(before[1], 1)]
    const isSnapshot = this.version === 1 || random.chance(0.25)
    const [bids, asks] = this.sides.map((side, at) => {
      const sign = at === 0 ? -1 : 1
      const levels = isSnapshot ? [...side] : changes(before[at]!, side)
      return levels.sort(([a], [b]) => sign * (Number(a) - Number(b)))
    })
    return { channel: 'book', symbol, data: { symbol, bids, asks }, ...(isSnapshot ? { snapshot: true } : {}) }
  }

  nextTrade (): Item {
    const { symbol, random } = this
    const price = cents(this.middle + random.integer(-6, 6))
    const size = String(random.integer(1, MOST_SIZE))
    const timestamp = new Date().toISOString()
    return { channel: 'trades', symbol, data: { symbol, price, size, timestamp, trade_id: String(++this.tradeId) } }
  }

  /** Some levels stay, some of those with another size, some go, and new ones come. @param sign -1 of bids */
  private nextSide (before: Side, sign: -1 | 1): Side {
    const { random, middle } = this
    const next = new Map<string, string>()
    for (const [price, size] of before) {
      const isBehind = sign * (Number(price) * 100 - middle) > 0
      if (isBehind && random.chance(0.6)) next.set(price, random.chance(0.25) ? this.size() : size)
    }
    const version = String(this.version).padStart(5, '0')
    for (let distance = 1; next.size < MOST_LEVELS; distance++) {
      // The decimals behind the hundredths only raise a price.
      const place = sign < 0 ? -distance - 1 : distance
      if (random.chance(0.5)) next.set(`${cents(middle + place)}${version}`, this.size())
    }
    return next
  }

  private size (): string {
    return String(this.random.integer(1, MOST_SIZE))
  }
}

/** Returns levels that are new, have another size, or have gone. */
function changes (before: Side, after: Side): Array<[price: string, size: string]> {
  const gone = [...before.keys()].filter(price => !after.has(price)).map((price): [string, string] => [price, '0'])
  return [...gone, ...[...after].filter(([price, size]) => before.get(price) !== size)]
}

export interface MadeMarketOptions {
  readonly origins: readonly string[]
  readonly token: string
  readonly symbols: readonly string[]
  readonly seed: number
  /** Between two batches. */
  readonly everyMs: number
}

/**
 * Publishes books and trades, one batch after another, each to whichever node takes it: again with the same
 * keys until one does, so that each message is in the log once. A batch has at most one message of a symbol.
 */
export class MadeMarket {
  published = 0
  /** Why it has ended by itself. */
  failure: string | undefined
  private readonly symbols: readonly MadeSymbol[]
  private readonly random: Choices
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly options: MadeMarketOptions) {
    const { seed, symbols } = options
    this.random = new Choices(seed)
    this.symbols = symbols.map((symbol, index) => new MadeSymbol(symbol, new Choices(seed * 1009 + index)))
  }

  /** Resolves when each symbol has a book; then books and trades go on. */
  async start (): Promise<void> {
    await this.publish(this.symbols.map(symbol => symbol.nextBook()))
    this.running = this.run().catch((error: unknown) => { this.failure = String(error) })
  }

  async stop (): Promise<void> {
    this.over = true
    await this.running
  }

  private async run (): Promise<void> {
    while (!this.over) {
      const { random, symbols } = this
      const moved = symbols.filter(() => random.chance(0.5))
      await this.publish(moved.map(symbol => random.chance(0.7) ? symbol.nextBook() : symbol.nextTrade()))
      await delay(this.options.everyMs)
    }
  }

  private async publish (items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    const { origins, token } = this.options
    const deadline = Date.now() + GIVE_UP_MS
    const messages = items.map(item => ({ ...item, idempotency_key: `made ${++this.published}` }))
    for (let attempt = this.published; ; attempt++) {
      const origin = origins[attempt % origins.length]!
      const answer = await publishTo(origin, token, messages).catch(() => undefined)
      if (answer?.status === 200) {
        const rejected = answer.rejected?.find(({ code }) => code !== 'log_unavailable')
        if (rejected !== undefined) throw new Error(`a message was rejected: ${JSON.stringify(rejected)}`)
        if (answer.accepted === items.length) return
      }
      if (Date.now() > deadline) throw new Error(`nobody took ${items.length} messages in ${GIVE_UP_MS} ms`)
      await delay(RETRY_MS)
    }
  }
}
