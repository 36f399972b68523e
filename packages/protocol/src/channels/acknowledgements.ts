import { type Static, Type } from '@sinclair/typebox'
import { parseTopicKey, topicKey } from '../topic.js'
import { closed, defineChannel } from './channel.js'

/** The most messages of a user that an acknowledged channel keeps for as long as nobody acknowledges them. */
export const MAX_UNACKNOWLEDGED = 10_000

/** The message up to which a user has acknowledged a channel: its sequence, and its place in the log. */
export const Acknowledgement = Type.Object({
  sequence: Type.Integer({ minimum: 1 }),
  epoch: Type.Integer(),
  offset: Type.Integer({ minimum: 1 })
}, closed)
export type Acknowledgement = Static<typeof Acknowledgement>

/**
 * What users have acknowledged: a topic for each user and acknowledged channel. A log in memory gets none of
 * them back from the store, because its messages are gone as well.
 */
export const acknowledgements = defineChannel({
  name: 'acknowledgements',
  type: 'acknowledgement',
  description: 'Up to which message a user has acknowledged a channel.',
  keyed: true,
  access: 'internal',
  retention: { messages: 1 },
  schema: Acknowledgement,
  reduce: 'last',
  compacted: 'log'
})

/** Returns the topic that says up to where a topic of an acknowledged channel is acknowledged. */
export function acknowledgementTopic (topic: string): string {
  const { channel, user } = parseTopicKey(topic)
  return topicKey({ channel: acknowledgements.name, symbol: channel, user })
}
