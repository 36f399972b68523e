import { useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'

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
    let timer: ReturnType<typeof setTimeout> | undefined
    const ending = new AbortController()
    const { signal } = ending
    async function ask (): Promise<void> {
      try {
        const response = await client.fetch(path!, { signal })
        const body = await response.json() as Answer & { readonly message?: string }
        if (signal.aborted) return
        if (response.ok) setPolled({ answer: body, problem: undefined })
        else setPolled(({ answer }) => ({ answer, problem: body.message ?? String(response.status) }))
      } catch (error) {
        if (!signal.aborted) setPolled(({ answer }) => ({ answer, problem: String(error) }))
      }
      if (!signal.aborted) timer = setTimeout(() => { void ask() }, everyMs)
    }
    void ask()
    return () => {
      ending.abort()
      clearTimeout(timer)
    }
  }, [client, path, everyMs, isPaused])
  return polled
}
