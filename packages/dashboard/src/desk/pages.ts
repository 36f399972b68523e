import { useEffect, useState } from 'react'
import type { PlainChannels } from '@tickwire/client'
import { useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../app/ask.js'
import { repeat, RETRY_MS } from '../app/repeat.js'

interface State<Item> {
  readonly items: readonly Item[]
  /** Where the next page begins. */
  readonly next: string | null
  readonly more: boolean
  readonly problem?: string
  readonly isRead: boolean
}

export interface Pages<Item> extends State<Item> {
  /** Reads the next page. */
  readonly readMore: () => void
}

interface Answer {
  readonly next: string | null
  readonly more: boolean
}

const NOTHING: State<never> = { items: [], next: null, more: false, isRead: false }

/**
 * Reads an endpoint page by page.
 * @param path with a query
 * @param itemsOf takes the items out of an answer; the same function at each call
 * @param turn another one begins anew; 0: not yet
 */
export function usePages<Item, Whole extends Answer = Answer> (
  path: string, itemsOf: (answer: Whole) => readonly Item[], turn: number
): Pages<Item> {
  const client = useClient()
  const [state, setState] = useState<State<Item>>(NOTHING)
  const [wanted, setWanted] = useState<string>()
  useEffect(() => {
    setState(NOTHING)
    setWanted(undefined)
  }, [client, path, turn])
  useEffect(() => {
    if (turn === 0) return
    return repeat(async signal => {
      try {
        const after = wanted === undefined ? '' : `&after=${encodeURIComponent(wanted)}`
        const answer = await ask<Whole>(client, `${path}${after}`)
        if (signal.aborted) return undefined
        setState(({ items }) => ({
          items: [...wanted === undefined ? [] : items, ...itemsOf(answer)],
          next: answer.next,
          more: answer.more,
          isRead: true
        }))
        return undefined
      } catch (error) {
        if (!signal.aborted) setState(before => ({ ...before, problem: wordsOf(error) }))
        return RETRY_MS
      }
    })
  }, [client, path, turn, wanted, itemsOf])
  return { ...state, readMore: () => { setWanted(state.next ?? undefined) } }
}

/**
 * Returns which time it is that a list must be read: 0 until the server sends the channel, so that nothing
 * falls between the list and what comes after it; then one more with each reset.
 */
export function useReadTurn (channel: keyof PlainChannels): number {
  const client = useClient()
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const subscription = client.subscribe(channel)
    const next = (): void => { setTurn(before => before + 1) }
    subscription.onReset(next)
    void subscription.result.then(({ granted }) => { if (granted.length > 0) next() })
    return subscription.close
  }, [client, channel])
  return turn
}
