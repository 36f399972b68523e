import { useCallback, useEffect, useState } from 'react'
import type { AlertRule } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../ask.js'

/** Rules expire, and may be made elsewhere. */
const AGAIN_MS = 30_000
const RETRY_MS = 2000

export interface Rules {
  /** Undefined until they are read. */
  readonly rules: readonly AlertRule[] | undefined
  readonly problem: string | undefined
  /** Reads them at once. */
  readonly read: () => Promise<void>
}

/** Returns the alert rules of the user. @param turn another one reads them again */
export function useRules (turn: unknown): Rules {
  const client = useClient()
  const [rules, setRules] = useState<readonly AlertRule[]>()
  const [problem, setProblem] = useState<string>()
  const read = useCallback(async () => {
    const answer = await ask<{ readonly rules: readonly AlertRule[] }>(client, 'v1/alerts')
    setRules(answer.rules)
    setProblem(undefined)
  }, [client])
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    let isOver = false
    const again = async (): Promise<void> => {
      let wait = AGAIN_MS
      try {
        await read()
      } catch (error) {
        setProblem(wordsOf(error))
        wait = RETRY_MS
      }
      if (!isOver) timer = setTimeout(() => { void again() }, wait)
    }
    void again()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [read, turn])
  return { rules, problem, read }
}
