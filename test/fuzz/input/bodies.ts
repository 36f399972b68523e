import { standardChannels } from '@tickwire/protocol'
import { Disconnect, PublishItem } from '../../../routes/schemas.js'
import type { Choices } from '../../helpers/random.js'
import { FromSchema } from './from-schema.js'
import { JsonWriter } from './json.js'
import type { Quality } from './messages.js'
import { garble, oddText, oddValue } from './odd.js'
import { SYMBOLS, dataMeaning, type World } from './world.js'

const PUBLISHED: readonly string[] = ['quotes', 'trades', 'book', 'market', 'news', 'system', 'orders', 'portfolio', 'alerts', 'instruments']

export interface Body {
  readonly type: string
  readonly text: string
}

/** Bodies of requests, made from the schemas of what they carry. */
export class Bodies {
  private readonly json: JsonWriter

  constructor (private readonly random: Choices, private readonly world: World) {
    this.json = new JsonWriter(random)
  }

  publish (quality: Quality): Body {
    const { random } = this
    if (quality === 'noise') return { type: random.pick(['application/json', 'application/x-ndjson', 'text/plain', 'application/xml', '', 'application/json; charset=utf-16', oddText(random).replace(/[^\x20-\x7e]/g, '?')]), text: random.next() < 0.5 ? this.json.write(oddValue(random)) : oddText(random) }
    const items: unknown[] = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, () => this.item())
    if (quality === 'near') items[random.integer(0, items.length - 1)] = this.nearItem()
    const lines = random.next() < 0.3
    const text = lines ? items.map(item => this.json.write(item).replaceAll(/[\r\n]/g, ' ')).join('\n') : this.json.write(items.length === 1 && random.next() < 0.7 ? items[0] : items)
    return { type: lines ? random.pick(['application/x-ndjson', 'application/ndjson']) : 'application/json', text: quality === 'garbled' ? garble(random, text) : text }
  }

  disconnect (quality: Quality): Body {
    const { random, world } = this
    const schema = new FromSchema(random, name => {
      if (name === 'connection_id') return world.connectionIds.pick(random) ?? 'none'
      return name === 'user_id' ? random.pick(['alice', 'bob', 'nobody', '__proto__', '']) || 'x' : undefined
    })
    const text = this.json.write(quality === 'fitting' ? schema.fitting(Disconnect) : schema.near(Disconnect))
    return { type: 'application/json', text: quality === 'garbled' ? garble(random, text) : text }
  }

  private item (): Record<string, unknown> {
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

  private nearItem (): unknown {
    const { random } = this
    const item = this.item()
    const channel = standardChannels.get(String(item['channel']))!
    switch (random.integer(0, 3)) {
      case 0: return new FromSchema(random, () => undefined).near(PublishItem)
      case 1: return { ...item, ...{ [random.pick(Object.keys(item))]: oddValue(random) } }
      case 2: return { ...item, symbol: random.pick([undefined, 'S1', oddText(random)]), user: random.pick([undefined, 'alice', '', oddText(random)]) }
      default: return { ...item, data: new FromSchema(random, dataMeaning(random, undefined)).near(channel.schema) }
    }
  }
}
