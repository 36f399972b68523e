import type { Channels } from '@tickwire/protocol'
import { ConfigError } from '../config.js'
import { PROCESSOR_NAME } from '../log/log.js'
import type { Processor } from './processor.js'

/** @throws ConfigError that says which processor cannot be run, and why */
export function checkProcessors (processors: readonly Processor[], channels: Channels): void {
  const names = new Set<string>()
  for (const processor of processors) {
    const { name, inputs, outputs } = processor
    const refuse = (what: string): never => { throw new ConfigError(`processors: ${JSON.stringify(name)} ${what}`) }
    if (!PROCESSOR_NAME.test(name)) refuse(`is no name: it takes ${PROCESSOR_NAME}`)
    if (names.has(name)) refuse('is there twice')
    names.add(name)
    for (const channel of [...inputs, ...outputs, ...'journal' in processor ? [processor.journal] : []]) {
      if (!channels.has(channel)) refuse(`names the channel ${JSON.stringify(channel)}, which there is not`)
    }
    const loop = outputs.find(output => inputs.includes(output))
    if (loop !== undefined) refuse(`publishes to ${loop}, which it follows`)
    if ('journal' in processor && channels.get(processor.journal)?.reduce === undefined) refuse(`has a journal without a state: ${processor.journal}`)
  }
}
