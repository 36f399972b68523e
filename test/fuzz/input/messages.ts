import { type ActionName, clientActions, standardChannels } from '@tickwire/protocol'
import type { Choices } from '../../helpers/random.js'
import { FromSchema, type Meaning } from './from-schema.js'
import { JsonWriter } from './json.js'
import { garble, oddText, oddValue } from './odd.js'
import { PublishItems } from './publish-items.js'
import { type Person, SETS, SYMBOLS, type World } from './world.js'

const actions = Object.keys(clientActions) as ActionName[]
/** How often each is sent, of 31. */
const SHARES: Record<ActionName, number> = {
  subscribe: 8,
  unsubscribe: 5,
  snapshot: 4,
  auth: 1,
  ping: 2,
  publish: 3,
  ack: 2,
  submit_order: 3,
  cancel_order: 2,
  replace_order: 1
}
const drawn = actions.flatMap(action => Array<ActionName>(SHARES[action]).fill(action))
const IDS: readonly unknown[] = [0, -1, 1, 2 ** 31, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 1e300, '', 'id', '__proto__', '📈', '\u0000', 'x'.repeat(64)]

const KEYS: readonly unknown[] = [...Array.from({ length: 30 }, (_, index) => `k${index}`), '__proto__', '📈', '\u0000', 'x'.repeat(128)]
const AMOUNTS: readonly unknown[] = ['1', '0.5', '185.50', '0.000000000001', '999999999999999.999999999999']

/**
 * - `fitting`: the schema takes it
 * - `near`: one thing is wrong
 * - `garbled`: its text was changed
 * - `noise`: it never was a message
 */
export type Quality = 'fitting' | 'near' | 'garbled' | 'noise'

/** Messages of a WebSocket client, made from the schemas of its actions. */
export class Messages {
  private readonly schema: FromSchema
  private readonly json: JsonWriter
  private readonly items: PublishItems

  constructor (
    private readonly random: Choices,
    private readonly world: World,
    private readonly person: Person
  ) {
    this.schema = new FromSchema(random, this.meaning)
    this.json = new JsonWriter(random)
    this.items = new PublishItems(random, world)
  }

  next (quality: Quality): string {
    const { random } = this
    const action = random.pick(drawn)
    switch (quality) {
      case 'fitting': return this.json.write(this.fitting(action))
      case 'near': return this.json.write(this.schema.near(clientActions[action]))
      case 'garbled': return garble(random, this.json.write(this.fitting(action)))
      case 'noise': return random.next() < 0.5 ? this.json.write(oddValue(random)) : oddText(random)
    }
  }

  private fitting (action: ActionName): unknown {
    if (action === 'publish') return this.publishing()
    const message = this.schema.fitting(clientActions[action]) as Record<string, unknown>
    return this.random.next() < 0.85 ? this.sensible(message) : message
  }

  /** A batch, in which some items may be refused: the others stand. */
  private publishing (): object {
    const { random, items } = this
    const item = (): unknown => random.next() < 0.8 ? items.fitting() : items.near()
    const messages = Array.from({ length: random.integer(1, 5) }, item)
    return { action: 'publish', ...(random.next() < 0.5 ? { id: random.pick(IDS.slice(0, 5)) } : {}), messages }
  }

  /** Without what is refused beside something else of the message. */
  private sensible (message: Record<string, unknown>): object {
    const { random } = this
    if (message['action'] === 'ack') {
      return { ...message, channel: random.pick(['alerts', 'orders']), sequence: random.integer(0, 3) }
    }
    if (message['action'] === 'submit_order') return this.ordering(message)
    if (message['action'] === 'cancel_order' || message['action'] === 'replace_order') {
      const { order_id: _order, client_order_id: _client, ...rest } = message
      const key = random.pick(KEYS)
      const name = random.next() < 0.8 ? { client_order_id: key } : { order_id: key }
      const change = message['action'] === 'replace_order' ? { quantity: random.pick(AMOUNTS) } : {}
      return { ...rest, ...name, ...change }
    }
    const channel = standardChannels.get(String(message['channel']))
    if (channel === undefined) return message
    if (!channel.keyed) delete message['symbols']
    else message['symbols'] ??= [random.pick(SYMBOLS)]
    if (channel.merge === undefined && random.next() < 0.9) delete message['throttle_ms']
    if (channel.levels === undefined) delete message['depth']
    if (typeof message['after'] === 'string' || message['after'] === undefined) delete message['epoch']
    else {
      message['epoch'] = this.world.epoch(random)
      if (channel.keyed) {
        const symbols = [...new Set((message['symbols'] as string[]).map(symbol => SETS.includes(symbol) ? 'S0' : symbol))]
        message['symbols'] = symbols
        message['after'] = Object.fromEntries(symbols.map(symbol => [symbol, random.integer(0, 50)]))
      }
    }
    return message
  }

  /** An order with the prices of its type. */
  private ordering (message: Record<string, unknown>): object {
    const type = String(message['order_type'])
    const isStop = type.startsWith('stop')
    if (!type.endsWith('limit')) delete message['limit_price']
    else message['limit_price'] = this.random.pick(AMOUNTS)
    if (!isStop) delete message['stop_price']
    else Object.assign(message, { stop_price: this.random.pick(AMOUNTS), time_in_force: 'gtc' })
    return message
  }

  private readonly meaning: Meaning = (name, schema) => {
    const { random, world, person } = this
    switch (name) {
      case 'id': return random.pick(IDS)
      case 'channel': return world.channel(random)
      case 'symbol': return random.pick(SYMBOLS)
      case 'token': return world.token(random, person) || 'x'
      case 'epoch': return world.epoch(random)
      case 'client_order_id': case 'order_id': case 'request_id': return random.pick(KEYS)
      case 'quantity': case 'limit_price': case 'stop_price': return random.pick(AMOUNTS)
      case 'timestamp': return '2026-02-07T14:30:00.123Z'
      case 'after': return random.next() < 0.6 ? world.cursor(random) : undefined
      // The list itself is made by its schema.
      case 'symbols': return schema['type'] === 'string' ? random.pick(random.next() < 0.85 ? SYMBOLS : SETS) : undefined
      default: return undefined
    }
  }
}
