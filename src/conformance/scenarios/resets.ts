import type { Scenario } from '../scenario.js'
import { adds, closes, cut, drops, gives, grants, opens, sends, subscribes, unsubscribes } from '../steps.js'

const REASONS = ['history_lost', 'epoch_changed', 'lagging', 'entered']

/** What a reset, or the end of a subscription, makes a client forget. */
export const resetScenarios: readonly Scenario[] = [
  ...REASONS.map((reason): Scenario => ({
    name: `resets/${reason}`,
    must: `tell the application of a reset (${reason}), forget the topic, and take what comes behind it`,
    clause: "The client's rule, 1",
    steps: [
      opens('trades:A'), sends('trades:A 7', 'trades:A 8', 'cursor c1'), gives('trades:A 7', 'trades:A 8'),
      sends(`reset trades:A ${reason}`, 'trades:A 3', 'trades:A 4', 'cursor c2'),
      gives(`reset trades:A ${reason}`, 'trades:A 3', 'trades:A 4')
    ]
  })),
  {
    name: 'resets/reason-that-is-new',
    must: 'take a reset for one, whatever its reason',
    clause: "The client's rule, 1",
    steps: [
      opens('trades:A'), sends('trades:A 7', 'reset trades:A moved_elsewhere', 'trades:A 3', 'cursor c1'),
      gives('trades:A 7', 'reset trades:A', 'trades:A 3')
    ]
  },
  {
    name: 'resets/then-a-snapshot',
    must: 'take the snapshot behind a reset, below the last sequence before it',
    clause: "The client's rule, 1 and 2",
    subscribe: ['quotes:A'],
    steps: [
      opens('quotes:A'), sends('quotes:A 50 snapshot', 'quotes:A 51', 'cursor c1'),
      gives('quotes:A 50 snapshot', 'quotes:A 51'),
      sends('reset quotes:A epoch_changed', 'quotes:A 2 snapshot value=9', 'quotes:A 3', 'cursor c2'),
      gives('reset quotes:A epoch_changed', 'quotes:A 2 snapshot value=9', 'quotes:A 3')
    ]
  },
  {
    name: 'resets/of-one-topic-alone',
    must: 'forget the topic of a reset, and no other',
    clause: "The client's rule, 1",
    subscribe: ['trades:A,B'],
    steps: [
      opens('trades:A,B'), sends('trades:A 5', 'trades:B 5', 'cursor c1'), gives('trades:A 5', 'trades:B 5'),
      sends('reset trades:A lagging', 'trades:A 3', 'trades:B 3', 'trades:B 6', 'cursor c2'),
      gives('reset trades:A lagging', 'trades:A 3', 'trades:B 6')
    ]
  },
  {
    name: 'resets/of-a-channel-without-symbols',
    must: 'take a reset without a symbol for that of its channel',
    clause: 'Control',
    subscribe: ['news'],
    steps: [
      opens('news'), sends('news 5', 'cursor c1'), gives('news 5'),
      sends('reset news history_lost', 'news 40', 'cursor c2'), gives('reset news history_lost', 'news 40')
    ]
  },
  {
    name: 'resets/on-resume',
    must: 'take a reset on resume for the reset of what it had before the cut',
    clause: "The client's rule, 1",
    steps: [
      opens('trades:A'), sends('trades:A 5', 'cursor c1'), gives('trades:A 5'), cut,
      opens('trades:A after=c1'), sends('reset trades:A history_lost', 'trades:A 2', 'trades:A 3',
        'cursor c2'),
      gives('reset trades:A history_lost', 'trades:A 2', 'trades:A 3')
    ]
  },
  {
    name: 'resets/a-cut-behind-one',
    must: 'take a reset that comes again after a cut as it took it the first time',
    clause: 'Control, Cursors',
    over: ['websocket', 'event-stream'],
    steps: [
      opens('trades:A'), sends('trades:A 5', 'cursor c1'), gives('trades:A 5'),
      sends('reset trades:A history_lost', 'trades:A 2'), gives('reset trades:A history_lost', 'trades:A 2'),
      cut,
      opens('trades:A after=c1'), sends('reset trades:A history_lost', 'trades:A 2', 'trades:A 3',
        'cursor c2'),
      gives('reset trades:A history_lost', 'trades:A 2', 'trades:A 3')
    ]
  },
  {
    name: 'resets/enters-a-set',
    must: 'take a symbol that enters a set: its reset, its snapshot, its messages',
    clause: 'Terms, Symbol sets',
    subscribe: ['quotes:@market/KOSPI'],
    steps: [
      opens('quotes:@market/KOSPI'), sends('quotes:A 3 snapshot', 'cursor c1'), gives('quotes:A 3 snapshot'),
      sends('reset quotes:B entered', 'quotes:B 90 snapshot', 'quotes:A 4', 'quotes:B 91', 'cursor c2'),
      gives('reset quotes:B entered', 'quotes:B 90 snapshot', 'quotes:A 4', 'quotes:B 91')
    ]
  },
  {
    name: 'unsubscribe/is-not-asked-for-again',
    must: 'not ask for what the application has unsubscribed when it comes back',
    clause: 'Client → server, unsubscribe',
    subscribe: ['quotes:A,B'],
    steps: [
      opens('quotes:A,B'), sends('quotes:A 3 snapshot', 'quotes:B 3 snapshot', 'cursor c1'),
      gives('quotes:A 3 snapshot', 'quotes:B 3 snapshot'), unsubscribes('quotes:B'),
      drops('quotes:A after=c1'),
      sends('quotes:A 4', 'cursor c2'), gives('quotes:A 4'), cut, opens('quotes:A after=c2'),
      sends('quotes:A 5', 'cursor c3'), gives('quotes:A 5')
    ]
  },
  {
    name: 'unsubscribe/forgets',
    must: 'forget the last sequence of what was unsubscribed, and take an older one after subscribing anew',
    clause: "The client's rule, 1",
    subscribe: ['news', 'trades:B'],
    steps: [
      opens('news', 'trades:B'), sends('news 3', 'trades:B 50', 'cursor c1'), gives('news 3', 'trades:B 50'),
      unsubscribes('trades:B'), drops('news after=c1'), sends('news 4', 'cursor c2'), gives('news 4'),
      subscribes('trades:B'), adds(['trades:B'], ['news after=c2']), grants,
      sends('trades:B 9', 'trades:B 10', 'cursor c3'), gives('trades:B 9', 'trades:B 10')
    ]
  },
  {
    name: 'unsubscribe/while-it-is-away',
    must: 'not ask for what was unsubscribed while there was no connection',
    clause: 'Client → server, unsubscribe',
    subscribe: ['quotes:A,B'],
    steps: [
      opens('quotes:A,B'), sends('quotes:A 3 snapshot', 'quotes:B 3 snapshot', 'cursor c1'),
      gives('quotes:A 3 snapshot', 'quotes:B 3 snapshot'), closes('going_away', 1500),
      unsubscribes('quotes:B'),
      opens('quotes:A after=c1'), sends('quotes:A 4', 'cursor c2'), gives('quotes:A 4')
    ]
  },
  {
    name: 'unsubscribe/another-selector-covers-it',
    must: 'take the reset (entered) and the snapshot of a topic that a set covers after unsubscribed',
    clause: "The client's rule, 1",
    over: ['websocket'],
    subscribe: ['quotes:*', 'quotes:A'],
    steps: [
      opens('quotes:*', 'quotes:A'), sends('quotes:A 3 snapshot', 'cursor c1'), gives('quotes:A 3 snapshot'),
      unsubscribes('quotes:A'), drops('quotes:* after=c1'),
      sends('reset quotes:A entered', 'quotes:A 3 snapshot', 'quotes:A 4', 'cursor c2'),
      gives('reset quotes:A entered', 'quotes:A 3 snapshot', 'quotes:A 4')
    ]
  }
]
