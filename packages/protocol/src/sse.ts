/**
 * Server-Sent Events as this protocol writes them (PROTOCOL.md, Server-Sent Events). Everything given here is
 * JSON text or a cursor, neither of which can hold a line break.
 */
export const sseMessage = (json: string): string => `data: ${json}\n\n`

/** The commit mark: its data repeats the id, because some parsers drop an event without data and its id too. */
export const sseCursor = (cursor: string): string => `event: cursor\nid: ${cursor}\ndata: ${cursor}\n\n`

/** How long a native EventSource waits before it connects again. */
export const sseRetry = (milliseconds: number): string => `retry: ${Math.round(milliseconds)}\n\n`
