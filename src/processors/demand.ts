import type { Processor } from './processor.js'

/** What follows from what, and whether rules demand it: all that a processor's demand depends on. */
export type Flow = Pick<Processor, 'inputs' | 'outputs'> & { readonly rules?: unknown }

/**
 * Returns some channels, and all that processors publish to because of them: a subscriber of one of these
 * needs the messages of the first, too. A processor with rules demands by its rules instead.
 */
export function wantedBy (processors: readonly Flow[], channels: readonly string[]): readonly string[] {
  const wanted = new Set(channels)
  for (let size = 0; size < wanted.size;) {
    size = wanted.size
    for (const { inputs, outputs, rules } of processors) {
      if (rules !== undefined) continue
      if (inputs.some(input => wanted.has(input))) for (const output of outputs) wanted.add(output)
    }
  }
  return [...wanted]
}
