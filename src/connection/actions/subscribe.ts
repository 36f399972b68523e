import { decodeCursor, decodeEpoch, isSymbol, ProtocolError, type RejectedSymbol, type RequestId, SubscribeAction } from '@tickwire/protocol'
import { CatchUp } from '../../hub/catch-up/catch-up.js'
import type { StartPosition } from '../../hub/catch-up/start.js'
import { Selection, type Selector } from '../../hub/audience/selector.js'
import type { Connection } from '../connection.js'
import { resolveSelectors } from '../selectors.js'
import type { Action } from './action.js'

/** One subscription of a request, its names resolved. */
export interface Subscription {
  readonly id?: RequestId | undefined
  readonly channel: string
  readonly granted: readonly Selector[]
  readonly rejected: readonly RejectedSymbol[]
  readonly throttleMs?: number | undefined
}

export const subscribe: Action<SubscribeAction> = {
  schema: SubscribeAction,
  resumes: ({ after }) => after !== undefined,
  perform
}

async function perform (connection: Connection, message: SubscribeAction): Promise<void> {
  const { throttle_ms: throttleMs, depth, last, fresh } = message
  const { granted, rejected } = await resolveSelectors(connection.context, connection.identity, message.channel, message.symbols, { throttleMs, depth, last, fresh })
  const start = startPosition(message, granted)
  await beginSubscriptions(connection, [{ id: message.id, channel: message.channel, granted, rejected, throttleMs }], start, message.snapshot ?? true)
}

/**
 * Confirms subscriptions, sends the state or the history that they begin with, and lets them go on live
 * (PROTOCOL.md, The client's rule: each topic is sent once, whatever selectors overlap).
 */
export async function beginSubscriptions (
  connection: Connection, subscriptions: readonly Subscription[], start: StartPosition, snapshots: boolean
): Promise<void> {
  // What cannot begin is refused before anything of it is confirmed.
  if (!connection.hub.logAvailable) throw new ProtocolError('log_unavailable')
  const selectors = subscriptions.flatMap(({ granted }) => granted)
  connection.subscriptions.checkRoom(selectors)
  const live = connection.delivery.selection()
  const next = connection.subscriptions.selection(selectors)
  const catchUp = await CatchUp.open(connection.hub, new Selection(selectors, connection.hub.membership), start, {
    snapshots,
    writer: connection.format,
    except: topic => live.has(topic),
    ...(live.reduced || next.reduced ? { restates: (topic: string) => live.view(topic).depth !== next.view(topic).depth } : {}),
    viewOf: topic => next.view(topic)
  })
  try {
    // The epoch that is told here may be a new one: what it causes for topics that lag comes before it.
    await connection.untilLive()
    for (const { id, channel, granted, rejected, throttleMs } of subscriptions) {
      connection.send({
        type: 'subscribed',
        ...(id === undefined ? {} : { id }),
        subscription_id: connection.nextSubscriptionId(),
        channel,
        symbols: granted.flatMap(({ symbol }) => symbol ?? []),
        rejected: [...rejected],
        ...(throttleMs === undefined ? {} : { throttle_ms: throttleMs }),
        epoch: catchUp.epochText,
        ...(start.from === 'now' ? {} : { recovered: catchUp.recovered })
      })
    }
    connection.context.events.subscribed(connection.party, selectors.length, subscriptions.reduce((sum, { rejected }) => sum + rejected.length, 0))
    connection.resumeBegan()
    await connection.delivery.follow(catchUp, selectors)
  } finally {
    catchUp.close()
  }
}

/** Where a subscribe message begins. @throws ProtocolError `bad_cursor`, `invalid_message` */
function startPosition ({ after, epoch }: SubscribeAction, granted: readonly Selector[]): StartPosition {
  if (after === undefined) {
    if (epoch !== undefined) throw new ProtocolError('invalid_message', 'epoch goes with after')
    return { from: 'now' }
  }
  if (typeof after === 'string') {
    if (epoch !== undefined) throw new ProtocolError('invalid_message', 'a cursor holds its epoch itself')
    const cursor = decodeCursor(after)
    if (cursor === undefined) throw new ProtocolError('bad_cursor')
    return { from: 'cursor', cursor }
  }
  if (typeof after === 'object' && !Object.keys(after).every(isSymbol)) throw new ProtocolError('invalid_message', 'after names symbols, and one of these names is none')
  const epochs = epoch === undefined ? undefined : decodeEpoch(epoch)
  if (epochs === undefined) throw new ProtocolError('invalid_message', 'after with sequences needs the epoch that subscribed gave')
  if (granted.some(({ kind }) => kind !== 'topic')) {
    throw new ProtocolError('invalid_message', 'after with sequences names its symbols; resume * and other sets with a cursor')
  }
  const sequences = new Map<string, number>()
  for (const { key, symbol } of granted) {
    const sequence = symbol === undefined
      ? (typeof after === 'number' ? after : undefined)
      : (typeof after === 'object' && Object.hasOwn(after, symbol) ? after[symbol] : undefined)
    if (sequence !== undefined) sequences.set(key, sequence)
  }
  return { from: 'sequences', sequences, epochs }
}
