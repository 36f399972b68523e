/** What stands for an instrument in a file, and where. Offsets count UTF-16 units of the file's text. */
export interface FileItem {
  readonly value: unknown
  readonly offset: number
  /** By field, where its value stands. */
  readonly offsets: ReadonlyMap<string, number>
}

/** A file cannot be read any further than to an offset. */
export class MalformedFile extends Error {
  override readonly name = 'MalformedFile'

  constructor (readonly offset: number, message: string) {
    super(message)
  }
}

/** Tells lines and columns, both from 1; a column is a character. */
export class Lines {
  private readonly starts: readonly number[]

  constructor (private readonly text: string) {
    this.starts = [0, ...Array.from(text.matchAll(LINE_END), ({ index, 0: end }) => index + end.length)]
  }

  lineOf (offset: number): number {
    let [line, above] = [0, this.starts.length]
    while (above - line > 1) {
      const middle = (line + above) >> 1
      if (this.starts[middle]! <= offset) line = middle
      else above = middle
    }
    return line + 1
  }

  columnOf (offset: number): number {
    return [...this.text.slice(this.starts[this.lineOf(offset) - 1], offset)].length + 1
  }
}

const LINE_END = /\r\n|\r|\n/g
