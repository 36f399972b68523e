import { useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import { createStore, type Store, useStore } from '../../app/store.js'
import type { Client } from '../actions.js'
import { ask } from '../../app/ask.js'

/** How many values of the past to begin with, and how many to keep: the server says one a second. */
const PAST = 1000
const MOST = 10_000

/** What a portfolio was worth at a time: for a line, so numbers are exact enough. */
export interface Values {
  /** Seconds since 1970, growing. */
  readonly times: readonly number[]
  readonly values: readonly number[]
}

interface PortfolioMessage {
  readonly type: string
  readonly sequence: number
  readonly timestamp: string
  readonly data: { readonly total_value: string }
}

const NONE: Values = { times: [], values: [] }
const EMPTY = createStore(NONE)
const all = new WeakMap<Client, Store<Values>>()

/**
 * Gathers what the portfolio was worth, from the first time that a panel asks to the end of the client: also
 * while no panel shows it. It begins with what the log retains of the past.
 */
function valuesOf (client: Client): Store<Values> {
  const known = all.get(client)
  if (known !== undefined) return known
  const store = createStore(NONE)
  all.set(client, store)
  /** By sequence. */
  let points = new Map<number, readonly [time: number, value: number]>()
  let isTelling = false
  const tell = (): void => {
    isTelling = false
    const sorted = [...points].sort(([a], [b]) => a - b).slice(-MOST)
    points = new Map(sorted)
    store.set({ times: sorted.map(([, [time]]) => time), values: sorted.map(([, [, value]]) => value) })
  }
  const put = ({ sequence, timestamp, data }: PortfolioMessage): void => {
    points.set(sequence, [Date.parse(timestamp) / 1000, Number(data.total_value)])
    if (isTelling) return
    isTelling = true
    queueMicrotask(tell)
  }
  async function readPast (): Promise<void> {
    const path = `v1/history?topic=portfolio&limit=${PAST}`
    const { messages } = await ask<{ readonly messages: readonly PortfolioMessage[] }>(client, path)
    for (const message of messages) if (message.type === 'portfolio') put(message)
  }
  let isPastRead = false
  client.subscribe('portfolio').listen(event => {
    if (event.type === 'reset') {
      points.clear()
      return tell()
    }
    put(event)
    // Not before: of a user who has never traded, the log has no such topic.
    if (isPastRead) return
    isPastRead = true
    // Where it cannot be read, the line begins with the page.
    void readPast().catch(() => {})
  })
  return store
}

export function useValues (): Values {
  const client = useClient()
  const [store, setStore] = useState(EMPTY)
  // Nothing is subscribed while React renders: it may drop the render.
  useEffect(() => { setStore(valuesOf(client)) }, [client])
  return useStore(store)
}
