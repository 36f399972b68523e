import type { FastifyInstance } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { orderRoutes } from './orders.js'
import { tradingReadRoutes } from './trading-reads.js'

/** What users ask of the exchange, and what they read of their own trading. */
export async function tradingRoutes (
  app: FastifyInstance, options: { originAllowed: OriginPolicy }
): Promise<void> {
  await app.register(orderRoutes, options)
  await app.register(tradingReadRoutes, options)
}
