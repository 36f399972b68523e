import { PublishItem, standardChannels } from '@tickwire/protocol'
import type { Choices } from '../../helpers/random.js'
import { FromSchema } from './from-schema.js'
import { oddText, oddValue } from './odd.js'
import { dataMeaning, SYMBOLS, type World } from './world.js'

const PUBLISHED: readonly string[] = ['quotes', 'trades', 'bars.1s', 'bars.1m', 'bars.5m', 'book', 'market', 'news', 'system', 'orders', 'portfolio', 'alerts', 'instruments', 'instruments.overrides']

/** Messages that somebody publishes, over HTTP or over WebSocket. */
export class PublishItems {
  constructor (private readonly random: Choices, private readonly world: World) {}

  /** One that fits. */
  fitting (): Record<string, unknown> {
    const { random } = this
    const channel = standardChannels.get(random.pick(PUBLISHED))!
    const symbol = channel.keyed ? random.pick(SYMBOLS) : undefined
    return {
      channel: channel.name,
      ...(symbol === undefined ? {} : { symbol }),
      ...(channel.access === 'user' ? { user: random.pick(this.world.people).user } : {}),
      data: new FromSchema(random, dataMeaning(random, symbol)).fitting(channel.schema),
      ...(random.next() < 0.2 ? { snapshot: random.next() < 0.5 } : {}),
      ...(random.next() < 0.2 ? { idempotency_key: random.pick(['k', '__proto__', 'x'.repeat(128), '\u0000', String(random.integer(0, 1000))]) } : {})
    }
  }

  /** The same with one thing wrong. */
  near (): unknown {
    const { random } = this
    const item = this.fitting()
    const channel = standardChannels.get(String(item['channel']))!
    switch (random.integer(0, 3)) {
      case 0: return new FromSchema(random, () => undefined).near(PublishItem)
      case 1: return { ...item, ...{ [random.pick(Object.keys(item))]: oddValue(random) } }
      case 2: return { ...item, symbol: random.pick([undefined, 'S1', oddText(random)]), user: random.pick([undefined, 'alice', '', oddText(random)]) }
      default: {
        const data = new FromSchema(random, dataMeaning(random, undefined)).near(channel.schema)
        return { ...item, data }
      }
    }
  }
}
