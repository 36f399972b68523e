import { Type } from '@sinclair/typebox'
import { Timestamp } from '@tickwire/protocol'
import { AccountView, FillView, OrderView } from '../src/trading-records/views.js'
import { bearer, refused } from './schemas.js'

/** What the reference says of the endpoints that read orders, fills and accounts. */

/** Most orders or fills in one answer of JSON. */
export const MAX_ROWS = 1000

const tags = ['trading']
const Instant = Timestamp('ISO 8601 with a zone')
const part = {
  symbol: Type.Optional(Type.String({ examples: ['AAPL'] })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_ROWS, default: 100 })),
  after: Type.Optional(Type.String({ description: 'a `next`: what comes behind it' }))
}
const Next = Type.Union([Type.String(), Type.Null()], { description: 'the `after` of the next request' })

export const ordersSchema = {
  tags,
  summary: 'Orders of the user, the ones that were accepted last first',
  security: bearer,
  querystring: Type.Object({
    status: Type.Optional(Type.Union(['open', 'closed', 'all'].map(status => Type.Literal(status)), {
      default: 'all', description: 'open: those that may still change'
    })),
    ...part
  }),
  response: {
    200: Type.Object({ orders: Type.Array(OrderView), next: Next, more: Type.Boolean() }),
    ...refused(400, 401, 403, 429, 503)
  }
}

export const orderSchema = {
  tags,
  summary: 'One order of the user',
  security: bearer,
  params: Type.Object({ id: Type.String({ description: 'the `order_id`' }) }),
  response: { 200: OrderView, ...refused(400, 401, 403, 404, 429, 503) }
}

export const fillsSchema = {
  tags,
  summary: 'Fills of the user, the newest first, as JSON or as a table',
  security: bearer,
  querystring: Type.Object({
    ...part,
    from: Type.Optional(Type.String({ ...Instant, description: 'not before this time' })),
    to: Type.Optional(Type.String({ ...Instant, description: 'before this time' })),
    format: Type.Optional(Type.Union(['json', 'csv'].map(format => Type.Literal(format)), {
      description: 'default: by `Accept`; a table has all fills, unless `limit` says how many'
    }))
  }),
  response: {
    200: Type.Object({ fills: Type.Array(FillView), next: Next, more: Type.Boolean() }),
    ...refused(400, 401, 403, 429, 503)
  }
}

export const accountSchema = {
  tags,
  summary: 'What the user owns, the portfolio as it was published last, and the open orders',
  security: bearer,
  response: { 200: AccountView, ...refused(400, 401, 403, 429, 503) }
}
