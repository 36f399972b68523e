import { pollTransport } from './poll/index.js'
import { eventStreamTransport } from './sse/index.js'
import type { HttpTransport } from './transport.js'

/** In the order in which they are asked; the last takes whatever no other took. */
export const httpTransports: readonly HttpTransport[] = [eventStreamTransport, pollTransport]

export { webSocketTransport } from './ws/index.js'
