/** How a subscriber wants a topic: every message as it comes, or less of it. */
export interface View {
  /** The least time between two messages of the topic, in milliseconds; 0: as they come. */
  readonly throttleMs: number
  /** How many of the best levels of each side of a book; 0: all. */
  readonly depth: number
}

/** Every message, whole. */
export const WHOLE: View = { throttleMs: 0, depth: 0 }

export const isWhole = ({ throttleMs, depth }: View): boolean => throttleMs === 0 && depth === 0

export const sameView = (a: View, b: View): boolean => a.throttleMs === b.throttleMs && a.depth === b.depth

/** Identifies a view by a number: `depth` is at most 5000 (`MAX_DEPTH` of the protocol package). */
export const viewKey = ({ throttleMs, depth }: View): number => throttleMs * 8192 + depth

/**
 * Returns the view of overlapping selectors: the smallest throttle and the greatest depth of them
 * (PROTOCOL.md, Client → server).
 */
export function widerView (a: View, b: View): View {
  return {
    throttleMs: Math.min(a.throttleMs, b.throttleMs),
    depth: a.depth === 0 || b.depth === 0 ? 0 : Math.max(a.depth, b.depth)
  }
}
