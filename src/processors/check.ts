import type { Channels } from '@tickwire/protocol'
import { ConfigError } from '../config.js'
import { PROCESSOR_NAME } from '../log/log.js'
import type { Processor } from './processor.js'

/**
 * Checks that the processors can run.
 * @throws ConfigError, which names the processor that cannot, and says why
 */
export function checkProcessors (processors: readonly Processor[], channels: Channels): void {
  const names = new Set<string>()
  for (const processor of processors) {
    const { name, inputs, outputs } = processor
    const refuse = (why: string): never => {
      throw new ConfigError(`processors: ${JSON.stringify(name)} ${why}`)
    }
    if (!PROCESSOR_NAME.test(name)) refuse(`cannot be a name: a name must match ${PROCESSOR_NAME}`)
    if (names.has(name)) refuse('is the name of two processors; give each its own')
    names.add(name)
    const journal = 'journal' in processor ? processor.journal : undefined
    for (const channel of [...inputs, ...outputs, ...journal === undefined ? [] : [journal]]) {
      if (!channels.has(channel)) {
        refuse(
          `names the channel ${JSON.stringify(channel)}, which does not exist; ` +
          'define it, or correct the name'
        )
      }
    }
    const loop = outputs.find(output => inputs.includes(output))
    if (loop !== undefined) {
      refuse(`publishes to ${loop}, which is one of its inputs; publish to another channel`)
    }
    if (journal !== undefined && channels.get(journal)?.reduce === undefined) {
      refuse(`has the journal ${journal}, a channel without a state; make that channel with journalChannel`)
    }
  }
}
