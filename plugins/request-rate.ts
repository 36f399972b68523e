import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { addressGroup } from '../src/connection/address.js'

export interface RequestRateOptions {
  readonly maxRequestsPerSecond: number
}

const WINDOW_MS = 1000

/** The headers that the library would add: what a refusal has to say, the table of errors says. */
const NO_HEADERS = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false } as const

/**
 * How many requests a second each user may make, or each address where there is no user, over all nodes (PROTOCOL.md, Limits): polls,
 * upgrades and all others alike, counted before anything else is done for them. A route with `rateLimit: false` is not counted.
 */
export const requestRate = fp<RequestRateOptions>(async (app, { maxRequestsPerSecond }) => {
  const { coordination } = app.streaming

  /** Over `Coordination.count`, which never fails: without the others, this node counts alone. */
  class SharedWindows implements FastifyRateLimitStore {
    incr (key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void): void {
      coordination.count(key, WINDOW_MS).then(({ count, endsInMs }) => { callback(null, { current: count, ttl: endsInMs }) }, callback)
    }

    child (): this {
      return this
    }
  }

  /** Bad credentials are nobody's: whoever tries them is counted by the address. */
  async function counted (request: FastifyRequest): Promise<string> {
    const identity = await app.authenticator.identify(request).catch(() => undefined)
    return identity?.user === undefined ? `address ${addressGroup(request.ip)}` : `user ${identity.user}`
  }

  await app.register(rateLimit, {
    max: maxRequestsPerSecond,
    timeWindow: WINDOW_MS,
    store: SharedWindows,
    keyGenerator: counted,
    addHeaders: NO_HEADERS,
    addHeadersOnExceeding: NO_HEADERS,
    errorResponseBuilder: (_request, { max, ttl }) =>
      new ProtocolError('rate_limited', `at most ${max} requests a second are answered for a user, or for an address without one`, Math.max(1, ttl))
  })
}, { name: 'tickwire-request-rate', fastify: '5.x', dependencies: ['tickwire-auth', 'tickwire-streaming'] })
