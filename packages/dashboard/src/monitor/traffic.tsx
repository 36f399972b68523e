import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import { Refused } from '../app/answer.js'
import { ask } from '../app/ask.js'
import { Panel } from '../app/panel.js'
import { Plot } from '../app/plot.js'
import { useWords } from '../app/preferences.js'
import { repeat } from '../app/repeat.js'
import type { Second } from './figures.js'
import type { MetricsAnswer } from './shapes.js'
import { words } from './words.js'

/** How often the past is read again: the store has a row a minute. */
const AGAIN_MS = 30_000
const MINUTE_SECONDS = 60

type Past = 'none' | { readonly isComplete: boolean, readonly seconds: readonly Second[] }

/** Joins the nodes' rows of each minute. */
function join ({ minutes }: MetricsAnswer): readonly Second[] {
  const byMinute = new Map<number, Second>()
  for (const { minute, messages, p99_ms: p99 } of minutes) {
    const time = Date.parse(minute) / 1000
    const before = byMinute.get(time)
    byMinute.set(time, {
      time,
      messages: (before?.messages ?? 0) + messages / MINUTE_SECONDS,
      p99: p99 === null ? before?.p99 ?? null : Math.max(before?.p99 ?? 0, p99)
    })
  }
  return [...byMinute.values()].sort((a, b) => a.time - b.time)
}

/** Reads the last hour from the store. */
function usePast (isWanted: boolean): Past | undefined {
  const client = useClient()
  const [past, setPast] = useState<Past>()
  useEffect(() => {
    if (!isWanted) return
    return repeat(async signal => {
      try {
        const answer = await ask<MetricsAnswer>(client, 'v1/admin/metrics?channel=*', { signal })
        if (!signal.aborted) setPast({ isComplete: answer.complete, seconds: join(answer) })
      } catch (error) {
        if (error instanceof Refused && error.status === 404) setPast('none')
      }
      return AGAIN_MS
    })
  }, [client, isWanted])
  return past
}

/** Messages a second and how late they are: live, and over the last hour from the store. */
export function TrafficPanel ({ seconds }: { readonly seconds: readonly Second[] }): ReactNode {
  const text = useWords(words)
  const [isPast, setPast] = useState(false)
  const past = usePast(isPast)
  const shown = isPast ? (typeof past === 'object' ? past.seconds : []) : seconds
  const [times, values] = useMemo(() => [
    shown.map(({ time }) => time),
    [shown.map(({ messages }) => messages), shown.map(({ p99 }) => p99)]
  ], [shown])
  const lines = [{ label: text.perSecond, color: '--accent' }, { label: text.p99, color: '--wait' }]
  const empty = isPast && past === 'none' ? text.noStore : shown.length === 0 ? text.noFigures : undefined
  const isIncomplete = isPast && typeof past === 'object' && !past.isComplete
  return (
    <Panel
      name='traffic' title={text.traffic} empty={empty} tools={
        <>
          {isIncomplete && <span className='problem'>{text.incomplete}</span>}
          <button type='button' aria-pressed={!isPast} onClick={() => { setPast(false) }}>{text.now}</button>
          <button type='button' aria-pressed={isPast} onClick={() => { setPast(true) }}>{text.hour}</button>
        </>
      }
    >
      <Plot times={times} values={values} lines={lines} label={text.trafficLabel} />
    </Panel>
  )
}
