import { isGood, type Page, type ShardHead } from '../../log/log.js'

/**
 * Where a sequence of a topic lies, or why what came after it cannot be told.
 * @param page what was read after the sequence, at least its first message
 * @param epoch the epoch in which the sequence was seen; undefined: the current one is taken for it
 */
export function locate (sequence: number, epoch: number | undefined, page: Page, head: ShardHead): { readonly offset: number } | { readonly lost: 'history_lost' | 'epoch_changed' } {
  if (sequence > (page.last?.sequence ?? 0)) return { lost: 'epoch_changed' }
  if (page.last === undefined) return { offset: 0 }
  const next = page.entries[0]
  // The message after it says where it was, if that is the very next; else it is the topic's last, or gone.
  const offset = next?.sequence === sequence + 1
    ? next.previous
    : page.last.sequence === sequence ? page.last.offset : undefined
  if (!isGood({ epoch: epoch ?? head.epoch, offset: offset ?? 0 }, head)) return { lost: 'epoch_changed' }
  return offset === undefined ? { lost: 'history_lost' } : { offset }
}
