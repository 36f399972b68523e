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

interface HistoryAnswer {
  readonly messages: readonly Column[]
}

/** Returns the newest heatmaps of a symbol, oldest first. */
export function useColumns (channel: HeatmapChannel, symbol: string): readonly Column[] {
  const client = useClient()
  const [columns, setColumns] = useState<readonly Column[]>([])
  useEffect(() => {
    let isClosed = false
    /** Grows with each reset, so that an answer from before it is dropped. */
    let resets = 0
    const put = (added: readonly Column[]): void => {
      setColumns(before => {
        const known = new Map([...before, ...added].map(column => [column.sequence, column]))
        return [...known.values()].sort((a, b) => a.sequence - b.sequence).slice(-MOST)
      })
    }
    const read = async (): Promise<void> => {
      const turn = resets
      const topic = `${channel}:${encodeURIComponent(symbol)}`
      const response = await client.fetch(`v1/history?topic=${topic}&limit=${MOST}`)
      if (!response.ok) return
      const { messages } = await response.json() as HistoryAnswer
      if (!isClosed && turn === resets) put(messages)
    }
    const subscription = client.subscribe(channel, [symbol])
    subscription.listen(event => {
      if (event.type === 'reset') {
        resets++
        setColumns([])
      } else put([event])
    })
    // What cannot be read comes with time.
    read().catch(() => {})
    return () => {
      isClosed = true
      subscription.close()
      setColumns([])
    }
  }, [client, channel, symbol])
  return columns
}
