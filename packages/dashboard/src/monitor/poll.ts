import { useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../app/ask.js'
import { repeat } from '../app/repeat.js'

/** What an endpoint answers, and why it does not. */
export interface Polled<Answer> {
  readonly answer: Answer | undefined
  readonly problem: string | undefined
}

const NOTHING = { answer: undefined, problem: undefined }

/** Asks an endpoint again and again. @param path undefined: asks nothing */
export function usePolled<Answer> (
  path: string | undefined, everyMs: number, isPaused: boolean
): Polled<Answer> {
  const client = useClient()
  const [polled, setPolled] = useState<Polled<Answer>>(NOTHING)
  useEffect(() => { setPolled(NOTHING) }, [path])
  useEffect(() => {
    if (path === undefined || isPaused) return
    return repeat(async signal => {
      try {
        const answer = await ask<Answer>(client, path, { signal })
        if (!signal.aborted) setPolled({ answer, problem: undefined })
      } catch (error) {
        if (!signal.aborted) setPolled(({ answer }) => ({ answer, problem: wordsOf(error) }))
      }
      return everyMs
    })
  }, [client, path, everyMs, isPaused])
  return polled
}
