import { WINDOW_BITS } from '../deflate.js'

/**
 * permessage-deflate (RFC 7692), without context takeover on either side: what is compressed for one client can then be
 * read by all. `ws` answers the handshake and reads what clients compress, within `maxPayload` of the inflated bytes.
 */
export const perMessageDeflate = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  // What an application sends on sockets of its own goes out as if there were no compression.
  threshold: Infinity,
  // Messages of clients are short.
  zlibInflateOptions: { chunkSize: 1024 }
} as const

export const PER_MESSAGE_DEFLATE = 'permessage-deflate'

const BITS = /^"?(8|9|1[0-5])"?$/

/**
 * The first offer of `Sec-WebSocket-Extensions` that shared frames fit, as it is to be answered; undefined where there
 * is none. `ws` refuses the handshake over offers that it cannot take, but a client that wants less can do without.
 */
export function agreedExtension (offered: string | undefined): string | undefined {
  for (const offer of offered?.split(',') ?? []) {
    const [name, ...parameters] = offer.split(';').map(part => part.trim())
    const agreed = name === PER_MESSAGE_DEFLATE ? agree(parameters) : undefined
    if (agreed !== undefined) return [PER_MESSAGE_DEFLATE, ...agreed].join('; ')
  }
  return undefined
}

/** The parameters of the answer, or undefined where the offer must be declined (RFC 7692, 7.1). */
function agree (parameters: readonly string[]): string[] | undefined {
  const names = new Set<string>()
  const agreed: string[] = []
  for (const parameter of parameters) {
    const [name = '', value] = parameter.split('=', 2).map(part => part.trim())
    if (names.has(name)) return undefined
    names.add(name)
    const bits = Number(BITS.exec(value ?? '')?.[1])
    switch (name) {
      case 'server_no_context_takeover':
      case 'client_no_context_takeover':
        if (value !== undefined) return undefined
        break
      case 'server_max_window_bits':
        if (!(bits >= WINDOW_BITS)) return undefined
        agreed.push(`${name}=${WINDOW_BITS}`)
        break
      case 'client_max_window_bits':
        if (value !== undefined && Number.isNaN(bits)) return undefined
        // One that keeps less may go on doing so: 15, which is meant where nothing is said, reads all.
        if (value === undefined || bits >= WINDOW_BITS) agreed.push(`${name}=${WINDOW_BITS}`)
        break
      default:
        return undefined
    }
  }
  return agreed
}
