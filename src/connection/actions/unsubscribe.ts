import { ProtocolError, type UnsubscribeAction } from '@tickwire/protocol'
import { LiveStates } from '../../hub/live-states.js'
import { makeSelector, Selection } from '../../hub/selector.js'
import type { Connection } from '../connection.js'

/** Takes selectors as they were written; one that is not there is not an error. */
export async function unsubscribe (connection: Connection, message: UnsubscribeAction): Promise<void> {
  const { hub, identity } = connection
  const channel = hub.channels.get(message.channel)
  if (channel === undefined || channel.access === 'internal') throw new ProtocolError('unknown_channel')
  const symbols = new Set<string | undefined>(message.symbols ?? [undefined])
  const selectors = [...symbols].map(symbol => makeSelector(channel, symbol, identity.user))
  const before = connection.live()
  const ended = new Selection(selectors)
  connection.detach(selectors)
  connection.send({
    type: 'unsubscribed',
    ...(message.id === undefined ? {} : { id: message.id }),
    channel: channel.name,
    symbols: [...message.symbols ?? []]
  })
  // The client has forgotten the topics of these selectors, also those that another selector still covers.
  const after = connection.live()
  const kept = [...ended.existing(hub.directory)].map(([topic]) => topic).filter(topic => before.has(topic) && after.has(topic))
  if (kept.length > 0) await resend(connection, kept)
}

async function resend (connection: Connection, topics: readonly string[]): Promise<void> {
  const { encoder } = connection.hub
  for (;;) {
    const messages = (await LiveStates.read(connection.hub, topics, { histories: true })).messages()
    if (messages === undefined) continue
    connection.sendTexts([...topics.map(topic => encoder.reset(topic, 'entered')), ...messages])
    return
  }
}
