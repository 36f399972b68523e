import type { Scenario } from '../scenario.js'
import {
  closes, cut, distrusts, gives, opensWith, refuses, renews, sends, stops, tells, turnsAway
} from '../steps.js'

const CLAUSE = 'Credentials'
const EXPIRING = { type: 'auth_expiring', expires_at: '2026-02-07T15:30:00.000Z' }
const LIVE = [sends('orders 1', 'cursor c1'), gives('orders 1')]

/** How a client shows its token, and when it gets another one. */
export const tokenScenarios: readonly Scenario[] = [
  {
    name: 'tokens/shows-its-token',
    must: 'show its token before it subscribes (WebSocket: auth, or a header; else a header)',
    clause: CLAUSE,
    subscribe: ['orders'],
    token: 'first',
    steps: [
      opensWith('first', 'orders'), ...LIVE, cut, opensWith('first', 'orders after=c1'),
      sends('orders 2', 'cursor c2'), gives('orders 2')
    ]
  },
  {
    name: 'tokens/shows-none',
    must: 'show no token if it has none',
    clause: CLAUSE,
    steps: [opensWith(undefined, 'trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
  },
  {
    name: 'tokens/renews-in-time',
    must: 'send auth with a new token on auth_expiring, and go on on the same connection',
    clause: `${CLAUSE}, Expiry`,
    over: ['websocket'],
    subscribe: ['orders'],
    tokens: ['first', 'second'],
    steps: [
      opensWith('first', 'orders'), ...LIVE, sends(EXPIRING), renews('second'),
      sends('orders 2', 'cursor c2'), gives('orders 2')
    ]
  },
  {
    name: 'tokens/renews-when-it-expires',
    must: 'come back with its cursor and a new token when its token expires, each time',
    clause: `${CLAUSE}, Expiry`,
    subscribe: ['orders'],
    tokens: ['first', 'second', 'third'],
    steps: [
      opensWith('first', 'orders'), ...LIVE, closes('unauthorized'), opensWith('second', 'orders after=c1'),
      sends('orders 2', 'cursor c2'), gives('orders 2'), closes('unauthorized'),
      opensWith('third', 'orders after=c2'), sends('orders 3', 'cursor c3'), gives('orders 3')
    ]
  },
  {
    name: 'tokens/renews-once-when-refused',
    must: 'get a new token once if its first is refused, and come with it',
    clause: 'Errors and closing, unauthorized',
    subscribe: ['orders'],
    tokens: ['first', 'second'],
    steps: [refuses('unauthorized'), opensWith('second', 'orders'), ...LIVE]
  },
  {
    name: 'tokens/stops-when-refused-twice',
    must: 'stop if a new token is refused, too',
    clause: 'Errors and closing, unauthorized',
    subscribe: ['orders'],
    tokens: ['first', 'second', 'third'],
    steps: [refuses('unauthorized'), refuses('unauthorized'), stops('unauthorized', 2)]
  },
  {
    name: 'tokens/auth-is-refused',
    must: 'get a new token once if its auth is refused, and stop if that is refused, too',
    clause: 'Errors and closing, unauthorized',
    over: ['websocket'],
    subscribe: ['orders'],
    tokens: ['first', 'second', 'third'],
    steps: [
      distrusts('first', 'second', 'third'), turnsAway, turnsAway, stops('unauthorized', 2)
    ]
  },
  {
    name: 'tokens/fewer-rights',
    must: 'stop when a new token does not permit what it subscribes to',
    clause: `${CLAUSE}, Renewal with fewer rights`,
    over: ['websocket'],
    subscribe: ['orders'],
    tokens: ['first', 'second'],
    steps: [
      opensWith('first', 'orders'), ...LIVE, sends(EXPIRING), closes('forbidden'), stops('forbidden', 1),
      tells({ event: 'state', state: 'closed', code: 'forbidden' })
    ]
  }
]
