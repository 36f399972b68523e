import { compareTrades, type Trade } from './trade.js'

/** What a trade changed: at most one trade counts no longer, and at most one counts now. */
export interface Change {
  readonly removed: readonly Trade[]
  readonly added: Trade | undefined
}

/** A trade that is known by its id, or an id that others correct and that has not come yet. */
interface Node {
  trade: Trade | undefined
  parent: Node | undefined
  children: Node[]
}

/**
 * The trades that have an id: each counts once, and of those that correct one another only the end counts. A
 * correction may come before what it corrects. If several correct the same trade, the last in the order of
 * trades goes on. So what counts in the end does not depend on the order in which they come.
 */
export class Corrections {
  /** By id; corrections without an id by their sequence. */
  private readonly nodes = new Map<string | number, Node>()

  /** Takes a trade in. Returns undefined if its id has come before. */
  add (trade: Trade): Change | undefined {
    const { id, corrects } = trade
    const known = id === '' ? undefined : this.nodes.get(id)
    if (known?.trade !== undefined) return undefined
    if (known === undefined && corrects === '') {
      if (id !== '') this.nodes.set(id, { trade, parent: undefined, children: [] })
      return { removed: [], added: trade }
    }
    const node = known ?? { trade: undefined, parent: undefined, children: [] }
    const ended = [endOf(node)]
    node.trade = trade
    this.nodes.set(keyOf(trade), node)
    if (corrects !== '') {
      const parent = this.nodes.get(corrects) ?? { trade: undefined, parent: undefined, children: [] }
      this.nodes.set(corrects, parent)
      ended.push(endOf(parent))
      node.parent = parent
      parent.children.push(node)
    }
    const end = endOf(node)
    return {
      // In a circle both ended at the same trade.
      removed: [...new Set(ended)].filter(before => before !== undefined && before !== end) as Trade[],
      added: end === undefined || ended.includes(end) ? undefined : end
    }
  }

  /** Forgets a trade that is so old that nothing may change it any more. */
  forget (trade: Trade): void {
    const key = keyOf(trade)
    const node = this.nodes.get(key)
    if (node === undefined) return
    this.nodes.delete(key)
    for (const child of node.children) child.parent = undefined
    const { parent } = node
    if (parent?.trade !== undefined || parent === undefined) return
    // The id that it corrects never came.
    parent.children = parent.children.filter(child => child !== node)
    if (parent.children.length === 0) this.nodes.delete(trade.corrects)
  }
}

const keyOf = ({ id, sequence }: Trade): string | number => id === '' ? sequence : id

/** Returns the trade that counts of all that correct one another; undefined if they do so in a circle. */
function endOf (node: Node): Trade | undefined {
  let end = rootOf(node)
  while (end !== undefined && end.children.length > 0) end = end.children.reduce(later)
  return end?.trade
}

function rootOf (node: Node): Node | undefined {
  let [slow, fast] = [node, node]
  for (;;) {
    if (fast.parent === undefined) return fast
    if (fast.parent.parent === undefined) return fast.parent
    fast = fast.parent.parent
    slow = slow.parent!
    if (fast === slow) return undefined
  }
}

/** Every child has a trade: it is one because of what it corrects. */
const later = (a: Node, b: Node): Node => compareTrades(a.trade!, b.trade!) >= 0 ? a : b
