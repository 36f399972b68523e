const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Yields the lines of a stream of bytes, without their line ends. Each line can be judged by itself, and a
 * character that is split between two chunks is whole in its line. Only a line feed ends a line, because JSON
 * text may hold U+2028 and the like.
 */
export async function * byteLines (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = []
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      yield joined([...begun, chunk.subarray(from, end)])
      begun = []
      from = end + 1
    }
    if (from < chunk.length) begun.push(chunk.subarray(from))
  }
  if (begun.length > 0) yield joined(begun)
}

function joined (parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  const line = first !== undefined && parts.length === 1
    ? first
    : new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  if (line !== first) {
    let at = 0
    for (const part of parts) {
      line.set(part, at)
      at += part.length
    }
  }
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line
}
