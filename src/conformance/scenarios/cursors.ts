import type { Scenario } from '../scenario.js'
import { adds, asks, cut, drops, gives, grants, opens, sends, subscribes, unsubscribes } from '../steps.js'

const LONG_CURSOR = 'Az09._~-'.repeat(64)
const LIVE = [opens('quotes:A'), sends('quotes:A 7 snapshot', 'cursor c1'), gives('quotes:A 7 snapshot')]

/** Which subscription goes on from the cursor, and which begins anew. */
export const cursorScenarios: readonly Scenario[] = [
  {
    name: 'cursors/one-for-all-topics',
    must: 'resume all subscriptions that its cursor covers from that cursor',
    clause: 'Terms, cursor',
    subscribe: ['quotes:A,B', 'news'],
    steps: [
      opens('quotes:A,B', 'news'), sends('quotes:A 3 snapshot', 'quotes:B 4 snapshot', 'news 9', 'cursor c1'),
      gives('quotes:A 3 snapshot', 'quotes:B 4 snapshot', 'news 9'), cut,
      opens('quotes:A,B after=c1', 'news after=c1'), sends('quotes:B 5', 'news 10', 'cursor c2'),
      gives('quotes:B 5', 'news 10')
    ]
  },
  {
    name: 'cursors/are-opaque',
    must: 'send a cursor back as it came, up to 512 characters of A-Za-z0-9._~-',
    clause: 'Terms, cursor',
    steps: [
      opens('trades:A'), sends('trades:A 1', `cursor ${LONG_CURSOR}`), gives('trades:A 1'), cut,
      opens(`trades:A after=${LONG_CURSOR}`), sends('trades:A 2', 'cursor c2'), gives('trades:A 2')
    ]
  },
  {
    name: 'cursors/do-not-cover-what-is-new',
    must: 'subscribe without a position (event stream, polling: fresh) what its cursor does not cover',
    clause: 'Client → server, after',
    subscribe: ['quotes:A'],
    steps: [
      ...LIVE, subscribes('trades:B'), adds(['trades:B'], ['quotes:A after=c1']), cut,
      opens('quotes:A after=c1', 'trades:B'), sends('trades:B 5', 'quotes:A 8', 'cursor c2'),
      gives('trades:B 5', 'quotes:A 8')
    ]
  },
  {
    name: 'cursors/cover-what-was-confirmed-before',
    must: 'resume a later subscription from the first cursor behind its subscribed, and no more as fresh',
    clause: 'Terms, cursor',
    subscribe: ['quotes:A'],
    steps: [
      ...LIVE, subscribes('trades:B'), adds(['trades:B'], ['quotes:A after=c1']), grants,
      sends('trades:B 5', 'cursor c2'), gives('trades:B 5'), cut,
      opens('quotes:A after=c2', 'trades:B after=c2'), sends('trades:B 6', 'quotes:A 8', 'cursor c3'),
      gives('trades:B 6', 'quotes:A 8')
    ]
  },
  {
    name: 'cursors/before-subscribed-do-not-cover',
    must: 'not resume a subscription from a cursor that came before its subscribed',
    clause: 'Terms, cursor',
    over: ['websocket'],
    subscribe: ['quotes:A'],
    steps: [
      ...LIVE, subscribes('trades:B'), adds(['trades:B'], ['quotes:A after=c1']),
      sends('quotes:A 8', 'cursor c2'), grants, sends('trades:B 5'), gives('quotes:A 8', 'trades:B 5'), cut,
      opens('quotes:A after=c2', 'trades:B'), sends('trades:B 5', 'trades:B 6', 'cursor c3'),
      gives('trades:B 6')
    ]
  },
  {
    name: 'cursors/follow-their-messages',
    must: 'not take a cursor before it has the messages that the cursor covers',
    clause: 'Control, Cursors',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'),
      // Of two flushes only the first ends with its cursor.
      sends('trades:A 2', 'trades:A 3', 'cursor c2', 'trades:A 4', 'trades:A 5'),
      gives('trades:A 2', 'trades:A 3', 'trades:A 4', 'trades:A 5'), cut,
      opens('trades:A after=c2'), sends('trades:A 4', 'trades:A 5', 'trades:A 6', 'cursor c3'),
      gives('trades:A 6')
    ]
  },
  {
    name: 'cursors/not-for-what-it-dropped',
    must: 'subscribe without a position to a topic that it had unsubscribed in between',
    clause: 'Client → server, after',
    subscribe: ['quotes:A', 'trades:B'],
    steps: [
      opens('quotes:A', 'trades:B'), sends('quotes:A 7 snapshot', 'trades:B 5', 'cursor c1'),
      gives('quotes:A 7 snapshot', 'trades:B 5'), unsubscribes('trades:B'), drops('quotes:A after=c1'),
      sends('quotes:A 8', 'cursor c2'), gives('quotes:A 8'),
      subscribes('trades:B'), adds(['trades:B'], ['quotes:A after=c2']), grants,
      sends('trades:B 3', 'cursor c3'), gives('trades:B 3')
    ]
  },
  {
    name: 'cursors/never-confirmed',
    must: 'begin without a position as long as no subscription was confirmed',
    clause: 'Terms, cursor',
    steps: [
      asks('trades:A'), cut, asks('trades:A'), cut, opens('trades:A'), sends('trades:A 1', 'cursor c1'),
      gives('trades:A 1')
    ]
  }
]
