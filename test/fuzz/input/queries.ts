import { MAX_DEPTH, MAX_HEARTBEAT_SECONDS, MAX_LAST, MAX_POLL_LIMIT, MAX_THROTTLE_MS, MAX_WAIT_SECONDS, MIN_HEARTBEAT_SECONDS, MIN_THROTTLE_MS, standardChannels } from '@tickwire/protocol'
import type { Choices } from '../../helpers/random.js'
import type { Quality } from './messages.js'
import { garble, oddText } from './odd.js'
import { type Person, SETS, SYMBOLS, type World } from './world.js'

type Pair = readonly [name: string, value: string]

/** Numbers in a query that nearly are those that may stand there. */
const nearNumber = (random: Choices, low: number, high: number): string =>
  random.pick([String(low - 1), String(high + 1), `${low}.0`, `0${low}`, `+${low}`, ` ${low}`, `${low}e0`, `0x${low.toString(16)}`, '', '-1', '9007199254740993', '9'.repeat(40), 'NaN', oddText(random)])

/** Half of a character becomes what stands for one that cannot be written. */
const escape = (text: string): string => encodeURIComponent(Buffer.from(text).toString())

/** Queries as the grammar of PROTOCOL.md has them, and nearly so. */
export class Queries {
  constructor (private readonly random: Choices, private readonly world: World) {}

  /** @param poll whether the parameters of polling may be in it */
  stream (quality: Quality, person: Person, poll: boolean): string {
    const { random, world } = this
    if (quality === 'noise') return random.next() < 0.5 ? oddText(random) : `subscribe=${escape(oddText(random))}`
    const pairs: Pair[] = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => ['subscribe', this.subscribe()] as const)
    const maybe = (name: string, share: number, value: () => string): void => {
      if (random.next() < share) pairs.push([name, value()])
    }
    maybe('throttle_ms', 0.15, () => String(this.number(MIN_THROTTLE_MS, MAX_THROTTLE_MS)))
    maybe('after', 0.35, () => world.cursor(random))
    maybe('lastEventId', 0.1, () => world.cursor(random))
    maybe('snapshot', 0.2, () => random.pick(['true', 'false']))
    maybe('decimals', 0.2, () => random.pick(['number', 'string']))
    maybe('token', 0.15, () => world.token(random, person))
    maybe('ticket', 0.02, () => oddText(random))
    if (poll) {
      maybe('wait', 0.15, () => String(this.number(0, MAX_WAIT_SECONDS)))
      maybe('limit', 0.25, () => String(this.number(1, MAX_POLL_LIMIT)))
    } else maybe('heartbeat', 0.15, () => String(this.number(MIN_HEARTBEAT_SECONDS, MAX_HEARTBEAT_SECONDS)))
    return this.write(quality, pairs)
  }

  history (quality: Quality): string {
    const { random, world } = this
    if (quality === 'noise') return oddText(random)
    const pairs: Pair[] = [['topic', this.topic()]]
    if (random.next() < 0.5) {
      pairs.push(['after', String(this.number(0, 100))])
      if (random.next() < 0.5) pairs.push(['epoch', world.epoch(random)])
    }
    if (random.next() < 0.4) pairs.push(['limit', String(this.number(1, 10_000))])
    return this.write(quality, pairs)
  }

  bars (quality: Quality): string {
    const { random } = this
    if (quality === 'noise') return oddText(random)
    const pairs: Pair[] = [['symbol', random.pick(SYMBOLS)], ['interval', random.pick(['1s', '1m', '5m'])]]
    if (random.next() < 0.3) pairs.push(['from', random.pick(['2026-02-07T14:30:00Z', '0000-01-01T00:00:00.0-00:00'])])
    if (random.next() < 0.3) pairs.push(['to', random.pick(['2026-02-07T23:30:00.5+09:01', '9999-12-31T23:59:60Z'])])
    if (random.next() < 0.4) pairs.push(['limit', String(this.number(1, 5000))])
    return this.write(quality, pairs)
  }

  snapshot (quality: Quality): string {
    return quality === 'noise' ? oddText(this.random) : this.write(quality, [['topic', this.topic()]])
  }

  symbols (quality: Quality): string {
    const { random } = this
    return this.write(quality, (['market', 'sector'] as const).filter(() => random.next() < 0.5).map(name => [name, random.pick(['M0', 'X0', oddText(random)])] as const))
  }

  private topic (): string {
    const { random, world } = this
    const channel = world.channel(random)
    const keyed = standardChannels.get(channel)?.keyed ?? true
    return (random.next() < 0.95) === keyed ? `${channel}:${random.pick(SYMBOLS)}` : channel
  }

  private subscribe (): string {
    const { random, world } = this
    const name = world.channel(random)
    const channel = standardChannels.get(name)
    let text = name
    if (channel?.keyed !== false) text += `:${Array.from({ length: random.pick([1, 1, 2, 5]) }, () => random.pick(random.next() < 0.8 ? SYMBOLS : SETS)).join(',')}`
    if (random.next() < 0.2 && channel?.merge !== undefined) text += `;throttle_ms=${this.number(MIN_THROTTLE_MS, MAX_THROTTLE_MS)}`
    if (random.next() < 0.4 && channel?.levels !== undefined) text += `;depth=${this.number(1, MAX_DEPTH)}`
    if (random.next() < 0.2) text += `;last=${this.number(1, MAX_LAST)}`
    if (random.next() < 0.1) text += ';fresh'
    return text
  }

  private number (low: number, high: number): number {
    const { random } = this
    return random.pick([low, high, random.integer(low, Math.min(high, low + 30)), random.integer(low, high)])
  }

  private write (quality: Quality, pairs: Pair[]): string {
    const { random } = this
    const all = quality === 'near' ? this.near(pairs) : pairs
    const text = all.map(([name, value]) => `${this.encode(name)}=${this.encode(value)}`).join('&')
    if (quality === 'garbled') return garble(random, text)
    return random.next() < 0.03 ? `&${text}&&` : text
  }

  /** The pairs with one thing wrong. */
  private near (pairs: readonly Pair[]): readonly Pair[] {
    const { random } = this
    const at = random.integer(0, Math.max(0, pairs.length - 1))
    const [name, value] = pairs[at] ?? ['topic', 'news']
    const instead = (pair: Pair): Pair[] => pairs.map((other, index) => index === at ? pair : other)
    switch (random.integer(0, 6)) {
      case 0: return [...pairs, [name, value]]
      case 1: return [...pairs, [random.pick(['colour', '__proto__', 'constructor', 'Subscribe', 'subscribe[]', 'token[]', oddText(random)]), value]]
      case 2: return instead([name, oddText(random)])
      case 3: return instead([name, `${value}${random.pick([';', ',', ':', ';fresh;fresh', ';throttle_ms', ';depth=0', ';last=10001', ';__proto__=1', '\u0000', ' '])}`])
      case 4: return [...pairs, [random.pick(['throttle_ms', 'wait', 'limit']), nearNumber(random, MIN_THROTTLE_MS, MAX_THROTTLE_MS)]]
      case 5: return pairs.filter((_, index) => index !== at)
      default: return instead([name.toUpperCase(), value])
    }
  }

  /** Any of the spellings that a URL has for a text. */
  private encode (text: string): string {
    const { random } = this
    if (random.next() < 0.8) return escape(text).replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%3B', ';').replaceAll('%3D', '=')
    return [...Buffer.from(text)].map(byte => random.next() < 0.5 ? `%${byte.toString(16).padStart(2, '0')}` : encodeURIComponent(String.fromCharCode(byte & 0x7f))).join('')
  }
}
