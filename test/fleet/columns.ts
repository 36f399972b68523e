type IsLeft = (column: number, row: readonly string[]) => boolean

/**
 * Rows of equal length as lines, their cells below each other.
 * @param isLeft where a cell begins its column; others end it
 */
export function columns (rows: readonly string[][], isLeft: IsLeft = column => column === 0): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => row.map((cell, column) => (
    isLeft(column, row) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
  )).join('  ').trimEnd())
}

/** Figures by what they are, a line each. */
export function figureLines (figures: Readonly<Record<string, string | number>>): string[] {
  return columns(Object.entries(figures).map(([what, value]) => [what, String(value)]), () => true)
}
