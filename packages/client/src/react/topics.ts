import type {
  KeyedChannels, Message, OwnChannel, OwnMessage, PlainChannels
} from '../channels.js'
import type { Client, OptionsOf } from '../client.js'
import { subscribeTo } from '../subscribe-to.js'
import type { SubscribeOptions } from '../subscription.js'
import { type Opened, useStore } from './store.js'

/** The options of a subscription that a hook can have: values, so that components can share it. */
export type TopicOptions = Pick<SubscribeOptions, 'throttleMs' | 'depth' | 'last'>
type OptionsFor<Name> = Pick<OptionsOf<Name>, keyof OptionsOf<Name> & keyof TopicOptions>

const PLAIN: ReadonlySet<string> =
  new Set<keyof PlainChannels>(['news', 'system', 'orders', 'portfolio', 'alerts'])

function openTopic (
  client: Client,
  changed: () => void,
  channel: string | OwnChannel,
  symbol: string | undefined,
  options: TopicOptions
): Opened<Message | undefined> {
  let latest: Message | undefined
  const symbols = symbol === undefined ? undefined : [symbol]
  const subscription = subscribeTo(client, channel, symbols, options)
  subscription.listen(event => {
    latest = event.type === 'reset' ? undefined : event as Message
    changed()
  })
  return { read: () => latest, close: subscription.close }
}

/**
 * Returns the last message of a topic, which in most channels is its state; undefined until it came, and
 * after a reset. The component renders at most once a frame, and only for this topic. Without the symbol of a
 * channel that has symbols, nothing is subscribed.
 */
export function useTopic<Name extends keyof KeyedChannels> (
  channel: Name, symbol: string | undefined, options?: OptionsFor<Name>
): KeyedChannels[Name] | undefined
export function useTopic<Name extends keyof PlainChannels> (
  channel: Name, symbol?: undefined, options?: OptionsFor<Name>
): PlainChannels[Name] | undefined
export function useTopic<Definition extends OwnChannel> (
  channel: Definition, symbol?: string, options?: TopicOptions
): OwnMessage<Definition> | undefined
export function useTopic (
  channel: string | OwnChannel, symbol?: string, options: TopicOptions = {}
): unknown {
  const name = typeof channel === 'string' ? channel : channel.name
  const isKeyed = typeof channel === 'string' ? !PLAIN.has(channel) : channel.keyed
  const key = isKeyed && symbol === undefined
    ? undefined
    : `topic ${JSON.stringify([name, symbol, options])}`
  return useStore(key, (client, changed) => openTopic(client, changed, channel, symbol, options), undefined)
}

/** Returns the quote of a symbol; undefined until it came. */
export const useQuote = (
  symbol: string, options?: OptionsFor<'quotes'>
): KeyedChannels['quotes']['data'] | undefined => useTopic('quotes', symbol, options)?.data

type Quotes = ReadonlyMap<string, KeyedChannels['quotes']['data']>
const NO_QUOTES: Quotes = new Map()

/** Returns the quotes of several symbols or sets, by symbol: another map after each change. */
export function useQuotes (symbols: readonly string[], options: OptionsFor<'quotes'> = {}): Quotes {
  const key = symbols.length === 0 ? undefined : `quotes ${JSON.stringify([symbols, options])}`
  return useStore(key, (client, changed) => {
    const quotes = new Map<string, KeyedChannels['quotes']['data']>()
    let [isChanged, value] = [false, NO_QUOTES]
    const subscription = client.subscribe('quotes', symbols, options)
    subscription.listen(event => {
      isChanged = true
      if (event.type === 'reset') quotes.delete(event.symbol!)
      else quotes.set(event.symbol!, event.data)
      changed()
    })
    return {
      read () {
        if (isChanged) value = new Map(quotes)
        isChanged = false
        return value
      },
      close: subscription.close
    }
  }, NO_QUOTES)
}
