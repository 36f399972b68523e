/** The words with which a user says what an order is (PROTOCOL.md, Orders). */

export const ORDER_TYPES = ['market', 'limit', 'stop', 'stop_limit'] as const
export type OrderType = typeof ORDER_TYPES[number]

/**
 * How long an order stands: the day, until it is canceled, or not at all (`ioc`, and `fok`: all or nothing).
 */
export const TIMES_IN_FORCE = ['day', 'gtc', 'ioc', 'fok'] as const
export type TimeInForce = typeof TIMES_IN_FORCE[number]
