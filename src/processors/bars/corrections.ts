import { compareTrades, type Trade } from './trade.js'

/** Corrections of one trade, and corrections of one another in a row. */
const MAX_CORRECTIONS = 100

/** What a trade changed: at most one trade counts no longer, and at most one counts now. */
export interface Change {
  readonly removed: readonly Trade[]
  readonly added: Trade | undefined
  /** Whether the trade cannot count, whatever comes: its corrections are too many, or make a circle. */
  readonly isTangled: boolean
}

/** A trade that is known by its id, or an id that others correct and that has not come yet. */
interface Node {
  trade: Trade | undefined
  parent: Node | undefined
  children: Node[]
  /** The last of the children in the order of trades. */
  last: Node | undefined
  /** Corrections in a row from it on, at least as many as there are now. */
  height: number
  /** Nothing from it on counts. It is a root: what it corrects does not know of it. */
  isTangled: boolean
}

const nodeOf = (trade: Trade | undefined): Node =>
  ({ trade, parent: undefined, children: [], last: undefined, height: 0, isTangled: false })

/**
 * The trades that have an id: each counts once, and of those that correct one another only the end counts. A
 * correction may come before what it corrects. If several correct the same trade, the last in the order of
 * trades goes on. So what counts in the end does not depend on the order in which they come. Corrections are
 * followed up to a bound, so that no trade costs more than its share whatever is published.
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
      if (id !== '') this.nodes.set(id, nodeOf(trade))
      return { removed: [], added: trade, isTangled: false }
    }
    const node = known ?? nodeOf(undefined)
    const ended = [endOf(rootOf(node))]
    node.trade = trade
    this.nodes.set(keyOf(trade), node)
    if (corrects !== '') ended.push(this.correct(node, corrects))
    const root = rootOf(node)
    const end = endOf(root)
    return {
      removed: ended.filter(before => before !== undefined && before !== end) as Trade[],
      added: end === undefined || ended.includes(end) ? undefined : end,
      isTangled: root.isTangled
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
    else if (parent.last === node) parent.last = parent.children.reduce(later)
  }

  /** Puts a correction below what it corrects. @returns what counted there before */
  private correct (node: Node, corrects: string): Trade | undefined {
    const known = this.nodes.get(corrects)
    const parent = known ?? nodeOf(undefined)
    const root = rootOf(parent)
    const isCircle = root === node
    if (isCircle || parent.children.length >= MAX_CORRECTIONS ||
      depthOf(parent) + 1 + node.height > MAX_CORRECTIONS) {
      node.isTangled = true
      return undefined
    }
    if (known === undefined) this.nodes.set(corrects, parent)
    const before = endOf(root)
    node.parent = parent
    parent.children.push(node)
    parent.last = parent.last === undefined ? node : later(parent.last, node)
    let height = node.height + 1
    for (let above: Node | undefined = parent; above !== undefined; above = above.parent) {
      above.height = Math.max(above.height, height++)
    }
    return before
  }
}

const keyOf = ({ id, sequence }: Trade): string | number => id === '' ? sequence : id

/** Returns the trade that counts of all that correct one another. */
function endOf (root: Node): Trade | undefined {
  if (root.isTangled) return undefined
  let end = root
  while (end.last !== undefined) end = end.last
  return end.trade
}

function rootOf (node: Node): Node {
  let root = node
  while (root.parent !== undefined) root = root.parent
  return root
}

/** How many trades a trade corrects, one behind the other. */
function depthOf (node: Node): number {
  let depth = 0
  for (let above = node.parent; above !== undefined; above = above.parent) depth++
  return depth
}

/** Every child has a trade: it is one because of what it corrects. */
const later = (a: Node, b: Node): Node => compareTrades(a.trade!, b.trade!) >= 0 ? a : b
