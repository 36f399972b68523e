import { keptStore } from '../app/kept.js'
import { panels, type PanelName } from './panels.js'

/** A place of the desk, and the panels that stand in it, one behind the other. */
export interface Cell {
  readonly panels: readonly PanelName[]
  /** Which share of the column's height it has, beside the others. */
  readonly share: number
}

/** Columns of cells. What is in none is not shown. */
export type Layout = ReadonlyArray<readonly Cell[]>

export const DEFAULT_LAYOUT: Layout = [
  [{ panels: ['watchlist'], share: 2.6 }, { panels: ['ticket', 'news', 'markets'], share: 2.2 }],
  [
    { panels: ['chart', 'heatmap'], share: 3 },
    { panels: ['orders', 'positions', 'fills', 'portfolio', 'alerts', 'strategies'], share: 2 }
  ],
  [{ panels: ['book'], share: 3 }, { panels: ['trades'], share: 2 }]
]

const isCell = (value: unknown): value is Cell => {
  const { panels: names, share } = (value ?? {}) as Partial<Cell>
  return Array.isArray(names) && names.every(name => Object.hasOwn(panels, name)) && typeof share === 'number'
}
const isLayout = (value: unknown): value is Layout =>
  Array.isArray(value) && value.every(column => Array.isArray(column) && column.every(isCell))

export const layout = keptStore<Layout>('desk layout', DEFAULT_LAYOUT, isLayout)

/** Returns the place of a panel as `column.cell`; empty: it is not shown. */
export function placeOf (from: Layout, panel: PanelName): string {
  for (const [column, cells] of from.entries()) {
    const cell = cells.findIndex(({ panels: names }) => names.includes(panel))
    if (cell >= 0) return `${column}.${cell}`
  }
  return ''
}

/** Returns a layout in which a panel stands at a place; the places stay, also those that become empty. */
export function movePanel (from: Layout, panel: PanelName, place: string): Layout {
  return from.map((cells, column) => cells.map(({ panels: names, share }, cell) => {
    const others = names.filter(name => name !== panel)
    return { share, panels: place === `${column}.${cell}` ? [...others, panel] : others }
  }))
}

/** Returns a layout in which a cell has another share of its column. */
export const resize = (from: Layout, place: string, share: number): Layout =>
  from.map((cells, column) =>
    cells.map((cell, at) => place === `${column}.${at}` ? { ...cell, share } : cell))
