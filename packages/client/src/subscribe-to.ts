import type { OwnChannel } from './channels.js'
import type { Client } from './client.js'
import type { SubscribeOptions, Subscription } from './subscription.js'

type Subscribe = (channel: string | OwnChannel, ...more: unknown[]) => Subscription

/** Subscribes to any channel, where the types of the channel's own messages are of no use. */
export function subscribeTo (
  client: Client,
  channel: string | OwnChannel,
  symbols: readonly string[] | undefined,
  options: SubscribeOptions
): Subscription {
  const subscribe = client.subscribe.bind(client) as Subscribe
  return symbols === undefined ? subscribe(channel, options) : subscribe(channel, symbols, options)
}
