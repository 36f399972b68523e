import { isGood, type Page, type ShardHead } from '../../log/log.js'

/** The offset of a sequence, or the reason of the reset if the messages after it are lost. */
export type Located = { readonly offset: number } | { readonly lost: 'history_lost' | 'epoch_changed' }

/**
 * Finds the offset of a topic's sequence.
 * @param epoch the epoch in which the client saw the sequence; undefined for the current one
 * @param page what was read after the sequence: at least the first message, if there is one
 */
export function locate (sequence: number, epoch: number | undefined, page: Page, head: ShardHead): Located {
  if (sequence > (page.last?.sequence ?? 0)) return { lost: 'epoch_changed' }
  if (page.last === undefined) return { offset: 0 }
  const next = page.entries[0]
  // If the page begins with the very next message, that one names the offset. Else the sequence is the
  // topic's last, or the log has dropped what followed it.
  const offset = next?.sequence === sequence + 1
    ? next.previous
    : page.last.sequence === sequence ? page.last.offset : undefined
  if (!isGood({ epoch: epoch ?? head.epoch, offset: offset ?? 0 }, head)) return { lost: 'epoch_changed' }
  return offset === undefined ? { lost: 'history_lost' } : { offset }
}
