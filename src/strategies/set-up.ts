import type { Log } from '../log/log.js'
import type { Publisher } from '../publisher/publisher.js'
import type { StrategyRegistry } from './registry.js'
import type { MayTrade, StrategiesOptions } from './strategies.js'
import { StrategiesSource } from './strategies-source.js'
import type { SubmitOrder } from './strategy-orders.js'
import { StrategyRecords } from './strategy-records.js'

/** How strategies trade. */
export interface StrategyTrading {
  readonly mayTrade: MayTrade
  readonly submit: SubmitOrder
}

export interface StrategySetUp {
  readonly registry: StrategyRegistry
  readonly log: Log
  readonly publisher: Publisher
  readonly settings: {
    readonly MAX_STRATEGIES: number
    readonly MAX_RUNNING_STRATEGIES: number
    readonly STRATEGY_CALL_MS: number
  }
  /** Undefined: there is no broker, so that strategies only give signals. */
  readonly trading: StrategyTrading | undefined
}

/** Makes both sides of strategies: what users ask of them, and what runs them. */
export function setUpStrategies ({ registry, log, publisher, settings, trading }: StrategySetUp): {
  readonly asked: Pick<StrategiesOptions, 'registry' | 'records' | 'most' | 'mayTrade'>
  readonly source: StrategiesSource
} {
  const records = new StrategyRecords(log, publisher)
  const most = { ofUser: settings.MAX_STRATEGIES, ofServer: settings.MAX_RUNNING_STRATEGIES }
  return {
    asked: { registry, records, most, mayTrade: trading?.mayTrade },
    source: new StrategiesSource({
      log, registry, records, most: most.ofServer, callMs: settings.STRATEGY_CALL_MS, submit: trading?.submit
    })
  }
}
