import type { FastifyPluginAsync } from 'fastify'
import type { PublicJwk } from '@tickwire/protocol'
import type { OriginPolicy } from '../src/auth/origin.js'
import { acknowledgementRoutes } from './acknowledgements.js'
import { adminRoutes } from './admin.js'
import { alertRoutes } from './alerts.js'
import { docsRoutes } from './docs.js'
import { healthRoutes } from './health.js'
import { keyRoutes } from './keys.js'
import { metricsRoutes } from './metrics.js'
import { olderRoutes } from './older.js'
import { pageRoutes } from './page/page.js'
import { publishRoutes } from './publish.js'
import { strategyRoutes } from './strategies.js'
import { streamRoutes } from './stream.js'
import { ticketRoutes } from './tickets.js'
import { topicRoutes } from './topics.js'
import { tradingRoutes } from './trading.js'

/** The options of every group. */
export interface RouteOptions {
  readonly originAllowed: OriginPolicy
  readonly development: boolean
  /**
   * Shows an operator the path of a link that makes a browser an operator's; absent: there are no such links.
   */
  readonly adminLink?: ((path: string) => void) | undefined
  /** The keys that verify messages of `orders`. */
  readonly orderKeys: readonly PublicJwk[]
}

/** The groups of endpoints: a new one is a file in this folder and a line here. */
export const routeGroups = {
  // The first, because it describes those that come after it.
  docs: docsRoutes,
  stream: streamRoutes,
  tickets: ticketRoutes,
  publish: publishRoutes,
  topics: topicRoutes,
  acknowledgements: acknowledgementRoutes,
  alerts: alertRoutes,
  keys: keyRoutes,
  trading: tradingRoutes,
  strategies: strategyRoutes,
  older: olderRoutes,
  health: healthRoutes,
  metrics: metricsRoutes,
  admin: adminRoutes,
  page: pageRoutes
} satisfies Record<string, FastifyPluginAsync<RouteOptions>>

export type RouteGroup = keyof typeof routeGroups
