import { type AppendItem, type Origin, PROCESSOR_NAME } from './log.js'

/**
 * Whether an origin is newer than the kept one: later in the input's shard, over all its epochs. append.lua
 * applies the same rule.
 * @param lineage see {@link AppendOptions}
 */
export function isNewer (origin: Origin, kept: Origin | undefined, lineage: readonly number[]): boolean {
  const before = kept === undefined ? -1 : lineage.indexOf(kept.epoch)
  if (kept === undefined || before < 0) return true
  const now = lineage.indexOf(origin.epoch)
  if (now !== before) return now > before
  return origin.offset !== kept.offset ? origin.offset > kept.offset : origin.part > kept.part
}

/**
 * @throws TypeError for a malformed name, origins of several processors, or an epoch that the lineage lacks
 */
export function checkOrigins (items: readonly AppendItem[], lineage: readonly number[] = []): void {
  let processor: string | undefined
  for (const { origin } of items) {
    if (origin === undefined) continue
    processor ??= origin.processor
    if (!PROCESSOR_NAME.test(processor)) {
      throw new TypeError(
        `a processor is called ${JSON.stringify(processor)}, but its name must match ${PROCESSOR_NAME}`
      )
    }
    if (origin.processor !== processor) {
      throw new TypeError(
        `one append has origins of the processors ${processor} and ${origin.processor}; ` +
        'append the items of each of them separately'
      )
    }
    if (!lineage.includes(origin.epoch)) {
      throw new TypeError(
        `the lineage of an append lacks epoch ${origin.epoch}; it must name the epochs of all origins`
      )
    }
  }
}
