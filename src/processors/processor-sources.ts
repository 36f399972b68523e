import type { Log } from '../log/log.js'
import type { Source, SourceContext } from '../sources/source.js'
import { JournalRunner } from './journal-runner.js'
import type { JournalProcessor, Processor, ProcessorContext, TopicProcessor } from './processor.js'
import { TopicRunner } from './topic-runner.js'

/** What a lease of a processor is called. */
const leaseOf = (processor: string, shard?: number): string => `processor:${processor}${shard === undefined ? '' : `/${shard}`}`

const isJournaled = (processor: Processor): processor is JournalProcessor => 'journal' in processor

/**
 * Processors as sources: each has a lease, a fence and a supervisor that starts it again, and is taken over as sources are. A processor
 * with a journal has one lease, any other has one for each shard of the log.
 */
export function processorSources (processors: readonly Processor[], log: Log): Source[] {
  return processors.flatMap(processor => isJournaled(processor)
    ? [asSource(leaseOf(processor.name), context => new JournalRunner(processor, log).run(context))]
    : Array.from({ length: log.shards }, (_, shard) =>
      asSource(leaseOf(processor.name, shard), context => new TopicRunner(processor as TopicProcessor, log, shard).run(context))))
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
    publish: async (messages, options) => (await publish(messages, options)).map(result => 'sequence' in result ? result : undefined)
  }
}
