import { useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import type { Heatmap } from '@tickwire/protocol'

export type HeatmapChannel = 'heatmap' | 'heatmap.book'

/** A heatmap of a moment; the row of them is the picture. */
export interface Column {
  readonly sequence: number
  readonly data: Heatmap
}

/** How many columns are shown. */
const MOST = 180

/** Returns the newest heatmaps of a symbol, oldest first. */
export function useColumns (channel: HeatmapChannel, symbol: string): readonly Column[] {
  const client = useClient()
  const [columns, setColumns] = useState<readonly Column[]>([])
  useEffect(() => {
    const subscription = client.subscribe(channel, [symbol], { last: MOST })
    subscription.listen(event => {
      // Each message is the whole state, so up to the sequence of a reset the picture stays right.
      if (event.type === 'reset') {
        setColumns(before => before.filter(({ sequence }) => sequence <= (event.sequence ?? 0)))
      } else {
        setColumns(before =>
          [...before.filter(({ sequence }) => sequence < event.sequence), event].slice(-MOST))
      }
    })
    return () => {
      subscription.close()
      setColumns([])
    }
  }, [client, channel, symbol])
  return columns
}
