import {
  decodeCursor, decodeEpoch, isSymbol, ProtocolError, type RejectedSymbol, type RequestId, SubscribeAction
} from '@tickwire/protocol'
import { CatchUp } from '../../hub/catch-up/catch-up.js'
import type { StartPosition } from '../../hub/catch-up/start.js'
import { Selection, type Selector } from '../../hub/audience/selector.js'
import type { Connection } from '../connection.js'
import { type NameContext, requireChannel, resolveSelectors, spelledSymbol } from '../selectors.js'
import type { Action } from './action.js'

/** One subscription of a request, with its names resolved to selectors. */
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
  const { id, channel, symbols, throttle_ms: throttleMs, depth, last, fresh, snapshot = true } = message
  const { context, identity } = connection
  const { granted, rejected } = await resolveSelectors(
    context, identity, channel, symbols, { throttleMs, depth, last, fresh, overWebSocket: true }
  )
  const start = startPosition(context, message, granted)
  await beginSubscriptions(connection, [{ id, channel, granted, rejected, throttleMs }], start, snapshot)
}

/**
 * Confirms subscriptions, sends the state or the history that each begins with, and then makes them live.
 * Sends each topic only once, even if several selectors cover it (PROTOCOL.md, The client's rule).
 * @throws ProtocolError `log_unavailable`, `too_many_subscriptions`: nothing is confirmed then
 */
export async function beginSubscriptions (
  connection: Connection, subscriptions: readonly Subscription[], start: StartPosition, snapshots: boolean
): Promise<void> {
  // If one subscription cannot begin, all are refused before any is confirmed.
  if (!connection.hub.logAvailable) throw new ProtocolError('log_unavailable')
  const selectors = subscriptions.flatMap(({ granted }) => granted)
  connection.subscriptions.checkRoom(selectors)
  const live = connection.delivery.selection()
  const next = connection.subscriptions.selection(selectors)
  const restates = (topic: string): boolean => live.view(topic).depth !== next.view(topic).depth
  const selection = new Selection(selectors, connection.hub.membership)
  const catchUp = await CatchUp.open(connection.hub, selection, start, {
    snapshots,
    writer: connection.format,
    except: topic => live.has(topic),
    ...(live.reduced || next.reduced ? { restates } : {}),
    viewOf: topic => next.view(topic),
    heldEpochs: connection.delivery.heldEpochs
  })
  try {
    // `subscribed` may give a new epoch. A client that lags must first get the resets of that epoch.
    await connection.waitUntilLive()
    // The wire may have gone meanwhile: its record has ended.
    if (!connection.isOpen) return
    for (const { id, channel, granted, rejected, throttleMs } of subscriptions) {
      const subscriptionId = connection.nextSubscriptionId()
      noteSubscription(connection, subscriptionId, { channel, granted, rejected })
      connection.send({
        type: 'subscribed',
        ...(id === undefined ? {} : { id }),
        subscription_id: subscriptionId,
        channel,
        symbols: granted.flatMap(({ symbol }) => symbol ?? []),
        rejected: [...rejected],
        ...(throttleMs === undefined ? {} : { throttle_ms: throttleMs }),
        epoch: catchUp.epochText,
        ...(start.from === 'now' ? {} : { recovered: catchUp.recovered })
      })
    }
    const rejected = subscriptions.reduce((sum, subscription) => sum + subscription.rejected.length, 0)
    connection.context.events.subscribed(connection.party, selectors.length, rejected)
    connection.actions.endPendingResume()
    await connection.delivery.follow(catchUp, selectors)
  } finally {
    catchUp.close()
  }
}

function noteSubscription (
  connection: Connection, id: string, { channel, granted, rejected }: Subscription
): void {
  const { record, context: { connections: { ledger } } } = connection
  const now = Date.now()
  record.note({
    event: 'subscribe',
    channel,
    subscription_id: id,
    selectors: granted.length,
    rejected: rejected.length
  }, now)
  ledger.subscriptionsEnded(connection, record.subscribe(id, channel, granted, now), now)
}

/**
 * Returns the position at which a subscribe message begins.
 * @throws ProtocolError `bad_cursor`, `invalid_message`
 */
function startPosition (
  context: NameContext, { channel, after, epoch }: SubscribeAction, granted: readonly Selector[]
): StartPosition {
  if (after === undefined) {
    if (epoch !== undefined) {
      throw new ProtocolError('invalid_message', 'epoch is only for after with sequences')
    }
    return { from: 'now' }
  }
  if (typeof after === 'string') {
    if (epoch !== undefined) {
      throw new ProtocolError('invalid_message', 'leave out epoch: the cursor in after holds its epoch')
    }
    const cursor = decodeCursor(after)
    if (cursor === undefined) throw new ProtocolError('bad_cursor')
    return { from: 'cursor', cursor }
  }
  if (typeof after === 'object' && !Object.keys(after).every(isSymbol)) {
    throw new ProtocolError('invalid_message', 'after: one of its names is not a well-formed symbol')
  }
  const epochs = epoch === undefined ? undefined : decodeEpoch(epoch)
  if (epochs === undefined) {
    throw new ProtocolError('invalid_message', 'after with sequences needs the epoch that subscribed gave')
  }
  if (granted.some(({ kind }) => kind !== 'topic')) {
    const message = 'after with sequences cannot resume symbol sets; resume * and other sets with a cursor'
    throw new ProtocolError('invalid_message', message)
  }
  const bySymbol = typeof after === 'object' ? spelledSequences(context, channel, after) : undefined
  const sequences = new Map<string, number>()
  for (const { key, symbol } of granted) {
    const sequence = symbol === undefined
      ? (typeof after === 'number' ? after : undefined)
      : bySymbol?.get(symbol)
    if (sequence !== undefined) sequences.set(key, sequence)
  }
  return { from: 'sequences', sequences, epochs }
}

/** Returns sequences by symbol; of a symbol in two spellings the lower, so that the client misses nothing. */
function spelledSequences (
  context: NameContext, channelName: string, after: Readonly<Record<string, number>>
): ReadonlyMap<string, number> {
  const channel = requireChannel(context, channelName)
  const sequences = new Map<string, number>()
  for (const [written, sequence] of Object.entries(after)) {
    const symbol = spelledSymbol(context, channel, written)
    sequences.set(symbol, Math.min(sequence, sequences.get(symbol) ?? Infinity))
  }
  return sequences
}
