import type { Log } from '../log/log.js'
import type { Source, SourceContext } from '../sources/source.js'
import { JournalRunner } from './journal-runner.js'
import type { JournalProcessor, Processor, ProcessorContext, ViewProcessor } from './processor.js'
import { TopicRunner } from './topic-runner.js'
import { ViewRunner } from './view-runner.js'

/** Names the lease of a processor. */
const leaseOf = (processor: string, shard?: number): string =>
  `processor:${processor}${shard === undefined ? '' : `/${shard}`}`

/** How long a processor goes on when there are no rules any more. */
const LINGER_MS = 10_000

const isJournaled = (processor: Processor): processor is JournalProcessor => 'journal' in processor
const isView = (processor: Processor): processor is ViewProcessor => 'due' in processor

/**
 * Makes sources of processors. As every source, each has a lease, a fence, and a supervisor that restarts it,
 * and another server takes it over. A processor with a journal has one lease; any other has one for each
 * shard of the log (ADR 38).
 */
export function processorSources (processors: readonly Processor[], log: Log): Source[] {
  return processors.flatMap(processor => {
    const { name } = processor
    if (isJournaled(processor)) {
      const runner = new JournalRunner(processor, log)
      const { rules } = processor
      // It runs while somebody wants the channel of its rules, which is while there are any.
      const lazy = rules === undefined ? {} : { lazy: { channels: [rules.channel], lingerMs: LINGER_MS } }
      return [{ ...asSource(leaseOf(name), context => runner.run(context)), ...lazy }]
    }
    return Array.from({ length: log.shards }, (_, shard) => {
      const runner = isView(processor)
        ? new ViewRunner(processor, log, shard)
        : new TopicRunner(processor, log, shard)
      return asSource(leaseOf(name, shard), context => runner.run(context))
    })
  })
}

function asSource (name: string, run: (context: ProcessorContext) => Promise<void>): Source {
  return {
    name,
    manual: false,
    instruments: async () => [],
    run: context => run(contextOf(context))
  }
}

function contextOf ({ publish, signal }: SourceContext): ProcessorContext {
  return {
    signal,
    publish: async (messages, options) =>
      (await publish(messages, options)).map(result => 'sequence' in result ? result : undefined)
  }
}
