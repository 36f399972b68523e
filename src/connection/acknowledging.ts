import {
  type Acknowledge, type Acknowledgement, acknowledgements, type ChannelDefinition, decodeEpoch,
  type OpenMessages, ProtocolError, topicKey
} from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import { locate } from '../hub/catch-up/position.js'
import type { Hub } from '../hub/hub.js'
import { isoTime } from '../hub/iso-time.js'
import { readAcknowledged } from '../log/acknowledged.js'
import { type Entry, epochAt, type ShardHead } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import { type NameContext, requireChannel } from './selectors.js'

/** Origins let the log append an acknowledgement only if it goes further than those before it (ADR 46). */
const PROCESSOR = 'acknowledgements'

/** PROTOCOL.md, Acknowledged channels: takes what users acknowledge, and says what they have not yet. */
export class Acknowledging {
  constructor (
    private readonly hub: Hub,
    private readonly publisher: Pick<Publisher, 'publishOne'>,
    private readonly names: Pick<NameContext, 'channels'>
  ) {}

  /**
   * Acknowledges everything up to a sequence, for all connections of the user.
   * @returns the sequence up to which the channel is acknowledged now
   * @throws ProtocolError `unknown_channel`, `unauthorized`, `forbidden`; `invalid_message`: the channel is
   *   not acknowledged, or there is no such message; `log_unavailable`
   */
  async acknowledge (identity: Identity, message: Acknowledge): Promise<number> {
    const channel = this.acknowledged(identity, message.channel)
    const { user } = identity
    const topic = topicKey({ channel: channel.name, user })
    const before = await this.standing(topic)
    const { head } = before
    const to = await this.locate(topic, message, before)
    if (to === undefined || to.offset <= before.offset) return before.sequence
    const { sequence, offset } = to
    const epoch = epochAt(offset, head)
    const data: Acknowledgement = { sequence, epoch, offset }
    const origin = { processor: PROCESSOR, topic, epoch, offset, part: 0 }
    const publication = { channel: acknowledgements.name, symbol: channel.name, user, data, origin }
    const lineage = head.epochs.map(({ epoch }) => epoch)
    const result = await this.publisher.publishOne(publication, { lineage })
    // Meanwhile another connection of the user has acknowledged as much, or more.
    if (result.repeated === true) return (await this.standing(topic)).sequence
    this.hub.counters.acknowledge(channel.name, sequence - before.sequence)
    return sequence
  }

  /**
   * Returns what is open in each acknowledged channel that somebody may read.
   * @throws ProtocolError `unauthorized`, `log_unavailable`
   */
  async open (identity: Identity): Promise<OpenMessages[]> {
    const { user } = identity
    if (user === undefined) throw new ProtocolError('unauthorized')
    const channels = [...this.names.channels.values()].filter(channel =>
      channel.acknowledged === true && refuseRead(identity, channel, undefined) === undefined)
    return await Promise.all(channels.map(async ({ name }) => {
      const { sequence, last, first } = await this.standing(topicKey({ channel: name, user }))
      const open = first === undefined ? 0 : last - first.sequence + 1
      return {
        channel: name,
        acknowledged: sequence,
        last_sequence: last,
        open,
        lost: last - sequence - open,
        ...(first === undefined ? {} : { open_since: isoTime(first.timestamp) })
      }
    }))
  }

  private acknowledged (identity: Identity, name: string): ChannelDefinition {
    const channel = requireChannel(this.names, name)
    if (channel.acknowledged !== true) {
      const names = [...this.names.channels.values()].filter(({ acknowledged }) => acknowledged === true)
      const text = names.map(({ name }) => name).join(', ')
      throw new ProtocolError('invalid_message', `${name} needs no acknowledgement; these do: ${text}`)
    }
    const refusal = refuseRead(identity, channel, undefined)
    if (refusal !== undefined) throw new ProtocolError(refusal)
    return channel
  }

  /**
   * Returns the message that a client acknowledges; undefined if the log has dropped it, so that nothing
   * would change.
   * @throws ProtocolError `invalid_message` if the topic has no such message
   */
  private async locate (
    topic: string, { sequence, epoch }: Acknowledge, { head, last }: Standing
  ): Promise<{ readonly sequence: number, readonly offset: number } | undefined> {
    const { log } = this.hub
    const epochs = epoch === undefined ? undefined : decodeEpoch(epoch)
    if (epoch !== undefined && epochs === undefined) {
      throw new ProtocolError('invalid_message', "'epoch' is not one that this server gave")
    }
    if (sequence > last) {
      const message = `the last message has the sequence ${last}; acknowledge no further than that`
      throw new ProtocolError('invalid_message', message)
    }
    const page = await log.read(topic, { sequence }, 1)
    const seen = epochs === undefined ? undefined : epochs[log.shardOf(topic)] ?? NaN
    const found = locate(sequence, seen, page, head)
    if ('offset' in found) return { sequence, offset: found.offset }
    if (found.lost === 'history_lost') return undefined
    throw new ProtocolError(
      'invalid_message',
      'the log has lost the message with this sequence; acknowledge what came after the reset'
    )
  }

  private async standing (topic: string): Promise<Standing> {
    const { log } = this.hub
    const { offset, kept, head } = await readAcknowledged(log, topic)
    const { entries: [first], last } = await log.read(topic, { offset }, 1)
    const isLost = kept !== undefined && kept.offset !== offset
    const before = first === undefined ? last?.sequence ?? 0 : first.sequence - 1
    const sequence = isLost ? before : kept?.sequence ?? 0
    return { offset, head, sequence, last: last?.sequence ?? 0, first }
  }
}

/** What is acknowledged of a topic, and what is not. */
interface Standing {
  /** The sequence and the offset up to which it is acknowledged. */
  readonly sequence: number
  readonly offset: number
  readonly head: ShardHead
  /** The topic's last sequence. */
  readonly last: number
  /** The first retained message that is not acknowledged; undefined if there is none. */
  readonly first: Entry | undefined
}
