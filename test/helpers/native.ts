import { standardChannels } from '@tickwire/protocol'
import type { Connection } from '../../src/connection/connection.js'
import { receive } from '../../src/connection/dispatch.js'
import { Dialects } from '../../src/dialects/dialects.js'

export const dialects = new Dialects(standardChannels)
export const native = dialects.native()
export const { writer } = native

/** Passes a client's text on, as a transport does. */
export const receiveText = (connection: Connection, text: string): void => {
  receive(connection, native, text)
}

/** Subscribes a client to symbols of a channel. */
export const subscribe = (
  connection: Connection,
  channel: string,
  symbols: readonly string[],
  options: object = {}
): void => {
  receiveText(connection, JSON.stringify({ action: 'subscribe', channel, symbols, ...options }))
}
