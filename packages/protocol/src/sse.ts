/**
 * Server-Sent Events as this protocol writes them (PROTOCOL.md, Server-Sent Events). These functions take
 * JSON text or a cursor, and neither can hold a line break; see {@link escapeLineBreaks}.
 */

/** Returns the event of a message. */
export const sseMessage = (json: string): string => `data: ${json}\n\n`

/**
 * Returns the commit mark. Its data repeats the id, because some parsers drop an event without data, together
 * with its id.
 */
export const sseCursor = (cursor: string): string => `event: cursor\nid: ${cursor}\ndata: ${cursor}\n\n`

/**
 * Returns the line that tells a native EventSource how long to wait before it connects again. The line begins
 * the block of the next message, because a block without data is an event without data to many readers.
 */
export const sseRetry = (milliseconds: number): string => `retry: ${Math.round(milliseconds)}\n`

/**
 * Characters at which some readers end a line, such as Python's `str.splitlines`, although JSON text and an
 * event stream may hold them. (`str.splitlines` also splits at control characters; JSON escapes those
 * anyway.)
 */
const LINE_BREAKS = /[\u0085\u2028\u2029]/g

/** Returns JSON texts, or events of JSON texts, with these characters escaped; they mean the same. */
export const escapeLineBreaks = (json: string): string =>
  json.replaceAll(LINE_BREAKS, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
