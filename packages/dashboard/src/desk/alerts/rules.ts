import { useCallback, useEffect, useState } from 'react'
import type { AlertRule } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../../app/ask.js'
import { repeat, RETRY_MS } from '../../app/repeat.js'

/** Rules expire, and may be made elsewhere. */
const AGAIN_MS = 30_000

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
  useEffect(() => repeat(async () => {
    try {
      await read()
      return AGAIN_MS
    } catch (error) {
      setProblem(wordsOf(error))
      return RETRY_MS
    }
  }), [read, turn])
  return { rules, problem, read }
}
