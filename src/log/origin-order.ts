import { type AppendItem, type Origin, PROCESSOR_NAME } from './log.js'

/**
 * Whether an origin is newer than the one that is kept: later in the input's shard, over all its epochs. append.lua decides alike.
 * @param lineage see {@link AppendOptions}
 */
export function isNewer (origin: Origin, kept: Origin | undefined, lineage: readonly number[]): boolean {
  const before = kept === undefined ? -1 : lineage.indexOf(kept.epoch)
  if (kept === undefined || before < 0) return true
  const now = lineage.indexOf(origin.epoch)
  if (now !== before) return now > before
  return origin.offset !== kept.offset ? origin.offset > kept.offset : origin.part > kept.part
}

/** @throws TypeError for origins of several processors, or of an epoch that the lineage does not name */
export function checkOrigins (items: readonly AppendItem[], lineage: readonly number[] = []): void {
  let processor: string | undefined
  for (const { origin } of items) {
    if (origin === undefined) continue
    processor ??= origin.processor
    if (!PROCESSOR_NAME.test(processor)) throw new TypeError(`the name of a processor is of ${PROCESSOR_NAME}, not ${JSON.stringify(processor)}`)
    if (origin.processor !== processor) throw new TypeError(`one append is of one processor, not of ${processor} and ${origin.processor}`)
    if (!lineage.includes(origin.epoch)) throw new TypeError(`the lineage of an append names the epochs of its origins, and ${origin.epoch} is missing`)
  }
}
