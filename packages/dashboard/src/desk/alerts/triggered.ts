import { useEffect, useState } from 'react'
import type { Alert } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { createStore, type Store, useStore } from '../../app/store.js'
import { actionsOf, type Client } from '../actions.js'

/** An alert that its user has not acknowledged. */
export interface Triggered {
  readonly sequence: number
  /** Of the log when the alert came; undefined: nobody knows. */
  readonly epoch: string | undefined
  readonly data: Alert
}

interface Alerts {
  /** Oldest first. */
  readonly open: Store<readonly Triggered[]>
  /** Acknowledges an alert and all before it. @throws ActionError */
  readonly acknowledge: (alert: Triggered) => Promise<void>
}

const NONE: readonly Triggered[] = []
const EMPTY: Alerts = { open: createStore(NONE), acknowledge: async () => {} }
const all = new WeakMap<Client, Alerts>()

/**
 * Returns the alerts of a client's user that are not acknowledged. They are gathered to the end of the
 * client, because the server sends them once: a panel that opens later must show them, too.
 */
export function alertsOf (client: Client): Alerts {
  const known = all.get(client)
  if (known !== undefined) return known
  const open = createStore(NONE)
  let epoch: string | undefined
  client.on('epoch', now => { epoch = now })
  let arrived: Triggered[] = []
  // Thousands may come at once.
  const tell = (): void => {
    if (arrived.length === 0) return
    const after = open.get().at(-1)?.sequence ?? 0
    open.set([...open.get(), ...arrived.filter(({ sequence }) => sequence > after)])
    arrived = []
  }
  client.subscribe('alerts').listen(event => {
    if (event.type === 'reset') {
      tell()
      const { sequence: valid = 0 } = event
      return open.set(open.get().filter(({ sequence }) => sequence <= valid))
    }
    if (arrived.push({ sequence: event.sequence, epoch, data: event.data }) === 1) setTimeout(tell)
  })
  const alerts: Alerts = {
    open,
    async acknowledge ({ sequence, epoch }) {
      await actionsOf(client).acknowledge('alerts', sequence, epoch)
      tell()
      open.set(open.get().filter(alert => alert.sequence > sequence))
    }
  }
  all.set(client, alerts)
  return alerts
}

export function useAlerts (): { readonly open: readonly Triggered[] } & Pick<Alerts, 'acknowledge'> {
  const client = useClient()
  const [alerts, setAlerts] = useState(EMPTY)
  // Nothing is subscribed while React renders: it may drop the render.
  useEffect(() => { setAlerts(alertsOf(client)) }, [client])
  return { open: useStore(alerts.open), acknowledge: alerts.acknowledge }
}
