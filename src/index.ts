/** What an application imports: the plugin, and the types of its options and messages. */
// Applications write the schemas of their channels with TypeBox, and need not install it.
export { type Static, type TSchema, Type } from '@sinclair/typebox'
export * from '@tickwire/protocol'
export type { TokenClaims } from '../plugins/auth.js'
export type { RouteGroup } from '../routes/index.js'
export {
  type Broker, type BrokerCancel, BrokerEvent, type BrokerOrder, BrokerRefusal, type BrokerReplace
} from './brokers/broker.js'
export { ConfigError } from './config.js'
export type { Log } from './log/log.js'
export type { Publication, PublishResult } from './publisher/publisher.js'
export type { Source, SourceContext, SourceMessage } from './sources/source.js'
export { type JournalMessage, journalChannel, type JournalOptions } from './processors/journal.js'
export type {
  Budget, Due, Input, JournalProcessor, Output, Processor, Said, TopicProcessor, ViewProcessor
} from './processors/processor.js'
export type { Count, Coordination } from './coordination/coordination.js'
export { barsProcessor } from './processors/bars/bars.js'
export {
  defineStrategy, type SignalOptions, type Strategy, type StrategyContext, type StrategyDefinition
} from './strategies/define-strategy.js'
export {
  type Message, type Tickwire, tickwire, type TickwireOptions, type TickwireSettings
} from './tickwire.js'
