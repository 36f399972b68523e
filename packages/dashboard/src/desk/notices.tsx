import { useEffect } from 'react'
import type { Order } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { notify } from '../app/notices.js'
import { login } from '../app/session.js'
import { useStore } from '../app/store.js'
import { actionsOf, type Client } from './actions.js'
import { alertsOf } from './alerts/triggered.js'
import { ask } from '../app/ask.js'
import { type Said, sayAlert, sayOrder } from './notice-words.js'

/** After how long to ask again where the channels stand. */
const AGAIN_MS = 2000
/** How many announcements are remembered: a reset may bring messages again. */
const MOST_ANNOUNCED = 20_000

interface Unacknowledged {
  readonly epoch: string
  readonly channels: ReadonlyArray<{ readonly channel: string, readonly last_sequence: number }>
}

/** What the log had when the page was opened; what is newer is announced. */
interface Opening {
  readonly epoch: string
  readonly lastSequences: ReadonlyMap<string, number>
}

async function readOpening (client: Client, signal: AbortSignal): Promise<Opening | undefined> {
  while (!signal.aborted) {
    try {
      const { epoch, channels } = await ask<Unacknowledged>(client, 'v1/unacknowledged')
      const lastSequences = new Map(channels.map(one => [one.channel, one.last_sequence]))
      return { epoch, lastSequences }
    } catch {
      await new Promise(resolve => { setTimeout(resolve, AGAIN_MS) })
    }
  }
  return undefined
}

/** What names a change: a message that comes again has the same name, whatever its sequence. */
const nameOfChange = (order: Order): string =>
  `${order.order_id} ${order.exec_id ?? `${order.status} ${order.updated_at ?? ''} ${order.reason ?? ''}`}`

/** Where a message stands in its topic. */
interface Place {
  readonly sequence: number
  /** Undefined: nobody has said it. */
  readonly epoch: string | undefined
}

interface Acknowledger {
  readonly shown: (place: Place) => void
  readonly stop: () => void
}

/**
 * Acknowledges orders that were shown, while the page can be seen: each request covers all before it, so only
 * the newest is sent.
 */
function acknowledger (client: Client): Acknowledger {
  let newest: Place | undefined
  let isSending = false
  async function send (): Promise<void> {
    if (isSending || newest === undefined || document.visibilityState === 'hidden') return
    isSending = true
    const { sequence, epoch } = newest
    newest = undefined
    // What the server refuses here was lost with its log, or somebody else acknowledged it.
    await actionsOf(client).acknowledge('orders', sequence, epoch).catch(() => {})
    isSending = false
    await send()
  }
  const look = (): void => { void send() }
  document.addEventListener('visibilitychange', look)
  return {
    shown (place) {
      newest = place
      look()
    },
    stop () { document.removeEventListener('visibilitychange', look) }
  }
}

/** Announces what comes of orders and alerts, once each. @returns a function that ends it */
function announce (client: Client): () => void {
  const stopped = new AbortController()
  const announced = new Set<string>()
  const acknowledge = acknowledger(client)
  let epoch: string | undefined
  const stopEpoch = client.on('epoch', now => { epoch = now })
  const isFirst = (name: string): boolean => {
    if (announced.has(name)) return false
    announced.add(name)
    if (announced.size > MOST_ANNOUNCED) announced.delete(announced.keys().next().value!)
    return true
  }
  // The panel of the alerts acknowledges them: a person does that, not a notice that goes by itself.
  alertsOf(client)
  const opening = readOpening(client, stopped.signal)
  function take (
    channel: 'orders' | 'alerts', name: string, sequence: number, say: () => Said | undefined
  ): void {
    const place = { sequence, epoch }
    void opening.then(known => {
      if (known === undefined || stopped.signal.aborted) return
      const isOld = place.epoch === known.epoch && sequence <= (known.lastSequences.get(channel) ?? 0)
      const said = isFirst(name) && !isOld ? say() : undefined
      if (said !== undefined) notify(said.text, said.kind)
      if (channel === 'orders') acknowledge.shown(place)
    })
  }
  const orders = client.subscribe('orders')
  orders.onMessage(({ sequence, data }) => {
    take('orders', nameOfChange(data), sequence, () => sayOrder(data))
  })
  const alerts = client.subscribe('alerts')
  alerts.onMessage(({ sequence, data }) => {
    take('alerts', data.alert_id, sequence, () => sayAlert(data))
  })
  return () => {
    stopped.abort()
    stopEpoch()
    acknowledge.stop()
    orders.close()
    alerts.close()
  }
}

/** Announces order changes and alerts of the user, wherever on the desk they look. */
export function OrderAndAlertNotices (): null {
  const client = useClient()
  const isLoggedIn = useStore(login) !== undefined
  useEffect(() => isLoggedIn ? announce(client) : undefined, [client, isLoggedIn])
  return null
}
