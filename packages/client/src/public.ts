export type {
  ChannelName, Channels, KeyedChannels, Message, OwnChannel, OwnMessage, PlainChannels, Reset
} from './channels.js'
export type { ClientEvents } from './events.js'
export type { Inspection } from './inspection.js'
export type { ClientOptions } from './options.js'
export type { State, StateName } from './state.js'
export type { Rejected, SubscribeOptions, SubscribeResult, Subscription } from './subscription.js'
export type { Environment, Transport, TransportName } from './transports/transport.js'
