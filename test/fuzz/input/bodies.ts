import { Disconnect } from '../../../routes/schemas.js'
import type { Choices } from '../../helpers/random.js'
import { FromSchema } from './from-schema.js'
import { JsonWriter } from './json.js'
import type { Quality } from './messages.js'
import { garble, oddText, oddValue } from './odd.js'
import { PublishItems } from './publish-items.js'
import type { World } from './world.js'

export interface Body {
  readonly type: string
  readonly text: string
}

/** Bodies of requests, made from the schemas of what they carry. */
export class Bodies {
  private readonly json: JsonWriter
  private readonly items: PublishItems

  constructor (private readonly random: Choices, private readonly world: World) {
    this.json = new JsonWriter(random)
    this.items = new PublishItems(random, world)
  }

  publish (quality: Quality): Body {
    const { random } = this
    if (quality === 'noise') return { type: random.pick(['application/json', 'application/x-ndjson', 'text/plain', 'application/xml', '', 'application/json; charset=utf-16', oddText(random).replace(/[^\x20-\x7e]/g, '?')]), text: random.next() < 0.5 ? this.json.write(oddValue(random)) : oddText(random) }
    const items: unknown[] = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, () => this.items.fitting())
    if (quality === 'near') items[random.integer(0, items.length - 1)] = this.items.near()
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
}
