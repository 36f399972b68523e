import type { FastifyRequest } from 'fastify'

/** Any of them says that the request came through somebody else, whatever address it seems to come from. */
const FORWARDING_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'] as const

const LOOPBACK = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

/**
 * Whether a request comes from the person at this machine. The address alone does not say so: a proxy here has it,
 * too, and a page whose name was made to point here (DNS rebinding) reaches this server with that name as its Host.
 */
export function mayHaveAdminToken (request: FastifyRequest): boolean {
  const { headers } = request
  if (FORWARDING_HEADERS.some(name => headers[name] !== undefined)) return false
  // What browsers say of a request that another site's page made.
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  return LOOPBACK.test(request.ip) && LOCAL_HOST.test(headers.host ?? '')
}
