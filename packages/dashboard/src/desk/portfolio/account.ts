import { useEffect, useState } from 'react'
import type { Portfolio } from '@tickwire/protocol'
import { useClient, usePortfolio } from '@tickwire/client/react'
import { ask, wordsOf } from '../../app/ask.js'
import { repeat, RETRY_MS } from '../../app/repeat.js'

interface Balance {
  readonly currency: string
  readonly cash: string
  readonly reserved: string
}

interface Account {
  readonly currency: string
  readonly balances: readonly Balance[]
  readonly portfolio: Portfolio | null
}

export interface Holdings {
  readonly portfolio: Portfolio | undefined
  /** Why there is none. */
  readonly problem: string | undefined
}

/** What a user who has never traded holds: there is no message of `portfolio` before the first order. */
function openingOf ({ currency, balances, portfolio }: Account): Portfolio {
  const cash = balances.find(balance => balance.currency === currency)?.cash ?? '0'
  return portfolio ?? {
    currency,
    total_value: cash,
    cash,
    day_pnl: '0',
    positions: [],
    balances: balances.map(({ currency, cash, reserved }) => ({ currency, cash, reserved }))
  }
}

/**
 * Returns the portfolio of the user, also of one who has never traded. The totals of such a user count the
 * base currency alone: nobody has said the rates.
 */
export function useAccount (): Holdings {
  const client = useClient()
  const live = usePortfolio()
  const [opening, setOpening] = useState<Portfolio>()
  const [problem, setProblem] = useState<string>()
  const isNeeded = live === undefined
  useEffect(() => {
    if (!isNeeded) return
    return repeat(async signal => {
      try {
        const account = await ask<Account>(client, 'v1/account')
        if (signal.aborted) return undefined
        setOpening(openingOf(account))
        setProblem(undefined)
        return undefined
      } catch (error) {
        if (!signal.aborted) setProblem(wordsOf(error))
        return RETRY_MS
      }
    })
  }, [client, isNeeded])
  return { portfolio: live ?? opening, problem: live === undefined ? problem : undefined }
}
