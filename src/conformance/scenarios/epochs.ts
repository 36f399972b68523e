import type { Scenario } from '../scenario.js'
import {
  adds, begins, blocks, cut, gives, grants, opens, page, sends
} from '../steps.js'

const RULE = "The client's rule, 5"
const STREAMS = ['websocket', 'event-stream'] as const
/** The client has 1 and 2, and its cursor covers 1 alone. */
const BEYOND = [
  opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2'), gives('trades:A 1', 'trades:A 2')
]

/** The log loses messages that the client has, and gives their sequences out again. */
export const epochScenarios: readonly Scenario[] = [
  {
    name: 'epochs/rolls-back-a-history',
    must: 'go back to what its cursor covers if subscribed gives another epoch, and tell of it by a reset',
    clause: RULE,
    over: STREAMS,
    steps: [
      ...BEYOND, cut, begins('e2'), opens('trades:A after=c1'),
      sends('trades:A 2 value=9', 'trades:A 3', 'cursor c2'),
      gives('reset trades:A to=1 +', 'trades:A 2 value=9', 'trades:A 3')
    ]
  },
  {
    name: 'epochs/rolls-back-a-state',
    must: 'reset a topic with a state that it has beyond its cursor, and subscribe to it without a position',
    clause: `${RULE}; Client → server, after`,
    over: STREAMS,
    subscribe: ['quotes:A', 'trades:B'],
    steps: [
      opens('quotes:A', 'trades:B'),
      sends('quotes:A 1 snapshot', 'trades:B 5', 'cursor c1', 'quotes:A 2'),
      gives('quotes:A 1 snapshot', 'trades:B 5', 'quotes:A 2'), cut, begins('e2'),
      opens('quotes:A after=c1', 'trades:B after=c1'), adds(['quotes:A'], ['trades:B after=c1']), grants,
      sends('quotes:A 2 snapshot value=9', 'quotes:A 3', 'trades:B 6', 'cursor c2'),
      gives('reset quotes:A +', 'quotes:A 2 snapshot value=9', 'quotes:A 3', 'trades:B 6')
    ]
  },
  {
    name: 'epochs/the-same-epoch',
    must: 'go back to nothing as long as the epoch stays the same',
    clause: RULE,
    over: STREAMS,
    steps: [
      ...BEYOND, cut, opens('trades:A after=c1'), sends('trades:A 2', 'trades:A 3', 'cursor c2'),
      gives('trades:A 3')
    ]
  },
  {
    name: 'epochs/nothing-beyond-the-cursor',
    must: 'notice nothing of a new epoch if its cursor covers all that it has',
    clause: 'Epochs',
    subscribe: ['trades:A', 'quotes:B'],
    steps: [
      opens('trades:A', 'quotes:B'), sends('trades:A 1', 'quotes:B 3 snapshot', 'cursor c1'),
      gives('trades:A 1', 'quotes:B 3 snapshot'), cut, begins('e2'),
      opens('trades:A after=c1', 'quotes:B after=c1'),
      sends('trades:A 1', 'trades:A 2', 'quotes:B 4', 'cursor c2'), gives('trades:A 2', 'quotes:B 4')
    ]
  },
  {
    name: 'epochs/on-a-live-connection',
    must: 'keep what this connection has sent when an epoch message comes: the server resets what was lost',
    clause: RULE,
    over: STREAMS,
    subscribe: ['trades:A,B'],
    steps: [
      opens('trades:A,B'), sends('trades:A 1', 'trades:B 1', 'cursor c1', 'trades:A 2', 'trades:B 2'),
      gives('trades:A 1', 'trades:B 1', 'trades:A 2', 'trades:B 2'),
      sends('reset trades:B epoch_changed', 'epoch e2', 'trades:A 3', 'trades:B 2 value=9', 'cursor c2'),
      gives('trades:A 3', 'reset trades:B epoch_changed', 'trades:B 2 value=9')
    ]
  },
  {
    name: 'epochs/behind-the-resume',
    must: 'go back to what this connection has sent if an epoch follows and that is more than the cursor',
    clause: RULE,
    over: STREAMS,
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2', 'trades:A 3', 'trades:A 4'),
      gives('trades:A 1', 'trades:A 2', 'trades:A 3', 'trades:A 4'), cut, opens('trades:A after=c1'),
      sends('trades:A 2', 'epoch e2', 'trades:A 3 value=9', 'trades:A 4 value=9', 'cursor c2'),
      gives('reset trades:A to=2 +', 'trades:A 3 value=9', 'trades:A 4 value=9')
    ]
  },
  {
    name: 'epochs/other-topics-stay',
    must: 'go back in the topics that it has beyond its cursor, and in no other',
    clause: RULE,
    over: STREAMS,
    subscribe: ['trades:A,B'],
    steps: [
      opens('trades:A,B'), sends('trades:A 1', 'trades:B 7', 'cursor c1', 'trades:A 2'),
      gives('trades:A 1', 'trades:B 7', 'trades:A 2'), cut, begins('e2'), opens('trades:A,B after=c1'),
      sends('trades:A 2 value=9', 'trades:B 7', 'trades:B 8', 'cursor c2'),
      gives('reset trades:A to=1 +', 'trades:A 2 value=9', 'trades:B 8')
    ]
  },
  {
    name: 'epochs/before-the-first-cursor',
    must: 'forget a topic that no cursor covers if the epoch has changed',
    clause: RULE,
    over: STREAMS,
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2'), gives('trades:A 1', 'trades:A 2'), cut,
      begins('e2'), opens('trades:A'), sends('trades:A 1 value=9', 'trades:A 2 value=9', 'cursor c1'),
      gives('reset trades:A +', 'trades:A 1 value=9', 'trades:A 2 value=9')
    ]
  },
  {
    name: 'epochs/one-after-another',
    must: 'go back at every new epoch',
    clause: RULE,
    over: STREAMS,
    steps: [
      ...BEYOND, cut, begins('e2'), opens('trades:A after=c1'), sends('trades:A 2 value=9'),
      gives('reset trades:A to=1 +', 'trades:A 2 value=9'), cut, begins('e3'), opens('trades:A after=c1'),
      sends('trades:A 2 value=8', 'cursor c2'), gives('reset trades:A to=1 +', 'trades:A 2 value=8')
    ]
  },
  ...STREAMS.flatMap((first): Scenario[] => [
    {
      name: `epochs/from-${first}-to-polling`,
      must: 'ask the history for the epoch when it comes to polling with messages beyond its cursor',
      clause: 'docs/clients/conformance.md, Another epoch',
      allows: [first, 'polling'],
      steps: [
        ...BEYOND, blocks({ [first]: page(404) }), cut, begins('e2'),
        opens('trades:A after=c1'), sends('trades:A 2 value=9', 'trades:A 3', 'cursor c2'),
        gives('reset trades:A to=1 +', 'trades:A 2 value=9', 'trades:A 3')
      ]
    },
    {
      name: `epochs/from-${first}-to-polling-in-the-same-epoch`,
      must: 'ignore what comes again on another transport, as long as the epoch stays the same',
      clause: RULE,
      allows: [first, 'polling'],
      steps: [
        ...BEYOND, blocks({ [first]: page(404) }), cut, opens('trades:A after=c1'),
        sends('trades:A 2', 'trades:A 3', 'cursor c2'), gives('trades:A 3')
      ]
    }
  ]),
  {
    name: 'epochs/from-websocket-to-event-stream',
    must: 'go back at a new epoch also if it comes back on another transport',
    clause: RULE,
    allows: ['websocket', 'event-stream'],
    steps: [
      ...BEYOND, blocks({ websocket: page(404) }), cut, begins('e2'), opens('trades:A after=c1'),
      sends('trades:A 2 value=9', 'cursor c2'), gives('reset trades:A to=1 +', 'trades:A 2 value=9')
    ]
  }
]
