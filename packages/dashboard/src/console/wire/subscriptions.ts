import type { Message } from '../log/frame.js'
import type { Action } from '../schema/check.js'

/** Of the options of a subscription those that every transport has. */
const OPTIONS = ['throttle_ms', 'depth', 'last'] as const
type Options = Readonly<Partial<Record<typeof OPTIONS[number], number>>>

export interface Subscribed extends Options {
  readonly channel: string
  /** Absent: the channel has none. */
  readonly symbols?: readonly string[]
  /** Whether the cursor stands for it, so that it can resume. */
  readonly covered: boolean
}

interface One extends Options {
  readonly channel: string
  readonly symbol: string | undefined
  covered: boolean
}

function namesOf ({ channel, symbols }: Action): Array<{ channel: string, symbol: string | undefined }> {
  const isKeyed = Array.isArray(symbols) && symbols.length > 0
  const names = isKeyed ? symbols.map(String) : [undefined]
  return names.map(symbol => ({ channel: String(channel), symbol }))
}

const optionsOf = (action: Action): Options => Object.fromEntries(
  OPTIONS.map(name => [name, action[name]]).filter(([, value]) => typeof value === 'number')
)

const keyOf = (channel: string, symbol: string | undefined): string =>
  symbol === undefined ? channel : `${channel}:${symbol}`

/** What the console is subscribed to, and what of it the cursor covers. */
export class Subscriptions {
  readonly #all = new Map<string, One>()
  /** Subscribes that have no answer yet. */
  #asked: Action[] = []

  /** Notes a message to the server. */
  sent (action: Action): void {
    if (action['action'] === 'subscribe') this.#asked.push(action)
  }

  /** Adds what the next request will subscribe to: over an event stream and polling, requests subscribe. */
  add (action: Action): void {
    for (const { channel, symbol } of namesOf(action)) {
      const one = { channel, symbol, ...optionsOf(action), covered: false }
      this.#all.set(keyOf(channel, symbol), one)
    }
  }

  /** @returns the topics that were left, as the server names them */
  remove (action: Action): string[] {
    const keys = namesOf(action).map(({ channel, symbol }) => keyOf(channel, symbol))
    return keys.filter(key => this.#all.delete(key))
  }

  /** Takes back what no cursor covers: the request for it was refused. */
  removeUncovered (): void {
    for (const [key, { covered }] of this.#all) if (!covered) this.#all.delete(key)
  }

  /** Begins anew: no cursor covers anything. */
  forgetCursor (): void {
    for (const one of this.#all.values()) one.covered = false
  }

  /** Notes a connection: what was asked on the last one is never answered. */
  connected (): void {
    this.#asked = []
  }

  heard (message: Message): void {
    const { type, id, cursor } = message
    if (type === 'subscribed') this.#confirm(message, this.#take(message))
    else if (type === 'error') this.#asked = this.#asked.filter(asked => asked['id'] !== id)
    else if (type === 'unsubscribed') this.remove(message)
    else if (cursor !== undefined) for (const one of this.#all.values()) one.covered = true
  }

  /** Returns the request that an answer is for. */
  #take ({ id, channel }: Message): Action {
    const at = this.#asked.findIndex(asked =>
      id === undefined ? asked['channel'] === channel : asked['id'] === id)
    return at < 0 ? {} : this.#asked.splice(at, 1)[0]!
  }

  #confirm (message: Message, asked: Action): void {
    const hasSymbols = (value: unknown): boolean => Array.isArray(value) && value.length > 0
    // Nothing of it was granted.
    if (!hasSymbols(message['symbols']) && hasSymbols(message['rejected'])) return
    for (const { channel, symbol } of namesOf(message)) {
      const key = keyOf(channel, symbol)
      const covered = this.#all.get(key)?.covered ?? false
      this.#all.set(key, { channel, symbol, ...optionsOf(asked), covered })
    }
  }

  /** Returns all, together where channel and options are the same. */
  list (): Subscribed[] {
    type Group = Omit<Subscribed, 'symbols'> & { symbols?: string[] }
    const groups = new Map<string, Group>()
    for (const { symbol, ...rest } of this.#all.values()) {
      const key = JSON.stringify(rest)
      const group: Group = groups.get(key) ?? rest
      if (symbol !== undefined) group.symbols = [...group.symbols ?? [], symbol]
      groups.set(key, group)
    }
    return [...groups.values()]
  }
}

/**
 * Returns the query that subscribes, for an event stream, a poll or a command.
 * @param after the cursor to resume from; what it does not cover begins with its state
 */
export function queryOf (subscribed: readonly Subscribed[], after?: string): string[] {
  const subscribes = subscribed.map(one => {
    const symbols = one.symbols === undefined ? '' : `:${one.symbols.join(',')}`
    const options = OPTIONS.filter(name => one[name] !== undefined && !(name === 'last' && one.covered))
      .map(name => `;${name}=${one[name]}`)
    const fresh = after !== undefined && !one.covered ? ';fresh' : ''
    return `subscribe=${encoded(one.channel + symbols + options.join('') + fresh)}`
  })
  return after === undefined ? subscribes : [...subscribes, `after=${encodeURIComponent(after)}`]
}

/** What a query may hold as it is stays readable. */
const encoded = (text: string): string => encodeURIComponent(text).replace(/%(3A|2C|3B|3D|40|2F)/g, decodeURIComponent)

/** Returns the actions that subscribe over a WebSocket. */
export function actionsOf (subscribed: readonly Subscribed[], after?: string): object[] {
  return subscribed.map(({ covered, last, ...rest }, index) => ({
    action: 'subscribe',
    id: `again-${index + 1}`,
    ...rest,
    ...(covered && after !== undefined ? { after } : last === undefined ? {} : { last })
  }))
}
