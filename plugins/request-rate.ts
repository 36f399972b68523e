import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { callerOf } from '../src/transports/caller.js'

export interface RequestRateOptions {
  readonly maxRequestsPerSecond: number
}

const WINDOW_MS = 1000

/** Headers that the library would add. The table of errors says what a refusal contains. */
const NO_HEADERS = {
  'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false
} as const

/**
 * Limits the requests a second of each user, or of each address without a user, over all nodes (PROTOCOL.md,
 * Limits). Polls, upgrades and all others count alike, before the server does anything else for them. A route
 * with `rateLimit: false` does not count.
 */
export const requestRate = fp<RequestRateOptions>(async (app, { maxRequestsPerSecond }) => {
  const { connections, coordination } = app.streaming

  /** Counts with `Coordination.count`, which never fails: without the others, this node counts alone. */
  class SharedWindows implements FastifyRateLimitStore {
    incr (
      key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void
    ): void {
      coordination.count(key, WINDOW_MS)
        .then(({ count, endsInMs }) => { callback(null, { current: count, ttl: endsInMs }) }, callback)
    }

    child (): this {
      return this
    }
  }

  /**
   * Names the counter of a request. Invalid credentials name no user, so requests with them count for the
   * address.
   */
  async function counted (request: FastifyRequest): Promise<string> {
    return callerOf(await app.authenticator.identify(request).catch(() => undefined), request.ip)
  }

  await app.register(rateLimit, {
    max: maxRequestsPerSecond,
    timeWindow: WINDOW_MS,
    store: SharedWindows,
    keyGenerator: counted,
    onExceeded (_request, key) {
      connections.limited.note('requests', key, maxRequestsPerSecond, WINDOW_MS)
    },
    addHeaders: NO_HEADERS,
    addHeadersOnExceeding: NO_HEADERS,
    errorResponseBuilder: (_request, { max, ttl }) => {
      const whose = 'a user, or for an address without one'
      const message = `at most ${max} requests a second are answered for ${whose}`
      return new ProtocolError('rate_limited', message, Math.max(1, ttl))
    }
  })
}, { name: 'tickwire-request-rate', fastify: '5.x', dependencies: ['tickwire-auth', 'tickwire-streaming'] })
