/**
 * Server-Sent Events as this protocol writes them (PROTOCOL.md, Server-Sent Events). Everything given here is
 * JSON text or a cursor, neither of which can hold a line break; see {@link escapeLineBreaks}.
 */
export const sseMessage = (json: string): string => `data: ${json}\n\n`

/** The commit mark: its data repeats the id, because some parsers drop an event without data and its id too. */
export const sseCursor = (cursor: string): string => `event: cursor\nid: ${cursor}\ndata: ${cursor}\n\n`

/**
 * How long a native EventSource waits before it connects again. The beginning of the block of the message that follows: a block
 * without data is an event without data to many readers.
 */
export const sseRetry = (milliseconds: number): string => `retry: ${Math.round(milliseconds)}\n`

/**
 * What some readers take for the end of a line, though a JSON text and an event stream may hold it: Python's `str.splitlines` does.
 * (JSON escapes the control characters at which it splits, too.)
 */
const LINE_BREAKS = /[\u0085\u2028\u2029]/g

/** JSON texts, or events of such, that say the same without these. */
export const escapeLineBreaks = (json: string): string =>
  json.replaceAll(LINE_BREAKS, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
