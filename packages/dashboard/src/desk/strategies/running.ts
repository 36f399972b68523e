import { useCallback, useEffect, useState } from 'react'
import type { StrategyRecord } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../../app/ask.js'
import { repeat, RETRY_MS } from '../../app/repeat.js'
import type { Registered } from './parameters.js'

export interface Running {
  /** What can be started. */
  readonly registry: readonly Registered[]
  /** What the user has started; undefined until it is read. */
  readonly strategies: readonly StrategyRecord[] | undefined
  readonly problem: string | undefined
  /** Reads the strategies again. @throws Refused, TypeError of the network */
  readonly read: () => Promise<void>
}

interface StrategiesAnswer { readonly strategies: readonly StrategyRecord[] }
interface RegistryAnswer { readonly strategies: readonly Registered[] }

/** Reads the registry, and the strategies of the user: these again whenever the status of one changes. */
export function useRunning (): Running {
  const client = useClient()
  const [registry, setRegistry] = useState<readonly Registered[]>([])
  const [strategies, setStrategies] = useState<readonly StrategyRecord[]>()
  const [problem, setProblem] = useState<string>()
  const read = useCallback(async () => {
    const answer = await ask<StrategiesAnswer>(client, 'v1/strategies')
    setStrategies(answer.strategies)
  }, [client])
  useEffect(() => {
    const stop = repeat(async () => {
      try {
        const answer = await ask<RegistryAnswer>(client, 'v1/strategies/registry')
        await read()
        setRegistry(answer.strategies)
        setProblem(undefined)
        return undefined
      } catch (error) {
        setProblem(wordsOf(error))
        return RETRY_MS
      }
    })
    // Another page of the user, or the server itself, may start, stop and remove them.
    const known = new Map<string, string>()
    const subscription = client.subscribe('strategy', ['*'])
    subscription.listen(event => {
      if (event.type === 'reset') return
      const { strategy_id: id, status } = event.data
      if (known.get(id) === status) return
      known.set(id, status)
      read().catch(() => {})
    })
    return () => {
      stop()
      subscription.close()
    }
  }, [client, read])
  return { registry, strategies, problem, read }
}
