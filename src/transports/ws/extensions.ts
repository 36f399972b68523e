import { WINDOW_BITS } from '../deflate.js'

/**
 * The options of permessage-deflate (RFC 7692) for `ws`, without context takeover on either side: every
 * client can then read what is compressed for one. `ws` answers the handshake, and inflates what clients
 * compress, up to `maxPayload` inflated bytes.
 */
export const perMessageDeflate = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  // An application may have WebSockets of its own. What it sends on them is never compressed.
  threshold: Infinity,
  // Messages of clients are short, so small chunks are enough.
  zlibInflateOptions: { chunkSize: 1024 }
} as const

export const PER_MESSAGE_DEFLATE = 'permessage-deflate'

const BITS = /^"?(8|9|1[0-5])"?$/

/**
 * Returns the answer to the first offer of `Sec-WebSocket-Extensions` that shared frames fit; undefined if
 * there is none. `ws` would refuse a handshake whose offers it cannot take. But a client that offers less can
 * do without compression.
 */
export function agreedExtension (offered: string | undefined): string | undefined {
  for (const offer of offered?.split(',') ?? []) {
    const [name, ...parameters] = offer.split(';').map(part => part.trim())
    const agreed = name === PER_MESSAGE_DEFLATE ? agree(parameters) : undefined
    if (agreed !== undefined) return [PER_MESSAGE_DEFLATE, ...agreed].join('; ')
  }
  return undefined
}

/** Returns the parameters of the answer; undefined if the offer must be declined (RFC 7692, 7.1). */
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
        // A client with a smaller window may keep it. An answer without the parameter means 15 bits, with
        // which the server can read everything that such a client sends.
        if (value === undefined || bits >= WINDOW_BITS) agreed.push(`${name}=${WINDOW_BITS}`)
        break
      default:
        return undefined
    }
  }
  return agreed
}
