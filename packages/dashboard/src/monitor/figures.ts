import { useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import type { NodeFigures } from './shapes.js'

/** How many seconds are shown. */
const MOST = 120
/** A node that says nothing for so long is gone. */
const GONE_MS = 10_000

/** The figures of all nodes at a moment. */
export interface Second {
  /** Seconds since 1970. */
  readonly time: number
  readonly messages: number
  readonly p99: number | null
}

export interface Figures {
  /** By name, the newest figures of each node. */
  readonly nodes: readonly NodeFigures[]
  readonly seconds: readonly Second[]
}

const NONE: Figures = { nodes: [], seconds: [] }

const messagesOf = ({ transports }: NodeFigures): number =>
  transports.reduce((sum, transport) => sum + transport.messages_per_second, 0)

function add ({ nodes, seconds }: Figures, data: NodeFigures): Figures {
  const now = Date.parse(data.time)
  const others = nodes.filter(({ node, time }) => node !== data.node && now - Date.parse(time) < GONE_MS)
  const all = [...others, data].sort((a, b) => a.name.localeCompare(b.name))
  const p99 = all.flatMap(({ latency }) => latency.p99_ms ?? [])
  const second = {
    time: Math.floor(now / 1000),
    messages: all.reduce((sum, figures) => sum + messagesOf(figures), 0),
    p99: p99.length === 0 ? null : Math.max(...p99)
  }
  // Several nodes speak in one second: the last of them has the figures of all.
  const before = seconds.filter(({ time }) => time < second.time)
  return { nodes: all, seconds: [...before, second].slice(-MOST) }
}

/** Follows what the nodes say of themselves each second. */
export function useFigures (): Figures {
  const client = useClient()
  const [figures, setFigures] = useState(NONE)
  useEffect(() => {
    const subscription = client.subscribe('monitor', { last: MOST })
    subscription.onMessage(({ data }) => { setFigures(before => add(before, data)) })
    return () => {
      subscription.close()
      setFigures(NONE)
    }
  }, [client])
  return figures
}
