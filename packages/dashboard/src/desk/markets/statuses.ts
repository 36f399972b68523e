import { useEffect } from 'react'
import { useClient } from '@tickwire/client/react'
import type { MarketStatus } from '@tickwire/protocol'
import { createStore, useStore } from '../../app/store.js'

const NONE: ReadonlyMap<string, MarketStatus> = new Map()

/** By market, its status, as far as somebody publishes it. */
const statuses = createStore(NONE)

/** Follows the statuses of all markets while the component stands. */
export function useReadStatuses (): void {
  const client = useClient()
  useEffect(() => {
    const subscription = client.subscribe('market', ['*'])
    subscription.listen(event => {
      const next = new Map(statuses.get())
      if (event.type === 'reset') next.delete(event.symbol ?? '')
      else next.set(event.data.market, event.data)
      statuses.set(next)
    })
    return () => {
      subscription.close()
      statuses.set(NONE)
    }
  }, [client])
}

export const useStatuses = (): ReadonlyMap<string, MarketStatus> => useStore(statuses)

/** Whether the prices of a market may be old: its feed is dead. */
export const useIsFeedDead = (market: string | undefined): boolean =>
  useStatuses().get(market ?? '')?.status === 'stale'
