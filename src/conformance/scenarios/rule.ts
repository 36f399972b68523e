import type { Scenario } from '../scenario.js'
import { cut, gives, opens, sends, tells } from '../steps.js'

const RULE = "The client's rule"

/** What a message means: duplicates, gaps, snapshots, conflated messages. */
export const ruleScenarios: readonly Scenario[] = [
  {
    name: 'rule/first-message',
    must: 'take any message as the first of its topic',
    clause: `${RULE}, 3`,
    steps: [
      opens('trades:A'), sends('trades:A 500', 'trades:A 501', 'cursor c1'),
      gives('trades:A 500', 'trades:A 501')
    ]
  },
  {
    name: 'rule/duplicate',
    must: 'ignore a message whose sequence is not above the last one of its topic',
    clause: `${RULE}, 4`,
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2', 'trades:A 2 value=9', 'trades:A 1', 'trades:A 3',
        'cursor c1'),
      gives('trades:A 1', 'trades:A 2', 'trades:A 3')
    ]
  },
  {
    name: 'rule/snapshot-replaces',
    must: 'take a snapshot above its last sequence, whatever lies between',
    clause: `${RULE}, 2`,
    subscribe: ['quotes:A'],
    steps: [
      opens('quotes:A'), sends('quotes:A 3 snapshot', 'quotes:A 4', 'quotes:A 10 snapshot', 'quotes:A 11',
        'cursor c1'),
      gives('quotes:A 3 snapshot', 'quotes:A 4', 'quotes:A 10 snapshot', 'quotes:A 11')
    ]
  },
  {
    name: 'rule/snapshot-below',
    must: 'ignore a snapshot whose sequence is below its last',
    clause: `${RULE}, 2`,
    subscribe: ['quotes:A'],
    steps: [
      opens('quotes:A'), sends('quotes:A 5 snapshot', 'quotes:A 4 snapshot value=9', 'quotes:A 6',
        'cursor c1'),
      gives('quotes:A 5 snapshot', 'quotes:A 6')
    ]
  },
  {
    name: 'rule/snapshot-at-last',
    must: 'take a snapshot whose sequence is its last: it is not below it',
    clause: `${RULE}, 2`,
    subscribe: ['quotes:A'],
    steps: [
      opens('quotes:A'), sends('quotes:A 5 snapshot', 'quotes:A 6', 'cursor c1'),
      gives('quotes:A 5 snapshot', 'quotes:A 6'), cut, opens('quotes:A after=c1'),
      sends('quotes:A 6 snapshot', 'quotes:A 7', 'cursor c2'), gives('quotes:A 6 snapshot', 'quotes:A 7')
    ]
  },
  {
    name: 'rule/snapshot-0',
    must: 'take a snapshot with the sequence 0: a server whose log is away says so',
    clause: 'When the log cannot be reached',
    subscribe: ['system'],
    steps: [
      opens('system'), sends('system 0 snapshot', 'cursor c1'), gives('system 0 snapshot'),
      sends('system 1', 'cursor c2'), gives('system 1')
    ]
  },
  {
    name: 'rule/prev',
    must: 'take a conflated message whose prev is its last, or below it',
    clause: `${RULE}, 4`,
    subscribe: ['quotes:A;throttle_ms=250'],
    steps: [
      opens('quotes:A;throttle_ms=250'),
      sends('quotes:A 2 snapshot', 'quotes:A 5 prev=2', 'quotes:A 9 prev=3', 'quotes:A 10', 'cursor c1'),
      gives('quotes:A 2 snapshot', 'quotes:A 5 prev=2', 'quotes:A 9 prev=3', 'quotes:A 10')
    ]
  },
  {
    name: 'rule/prev-of-a-duplicate',
    must: 'ignore a conflated message whose sequence is not above its last',
    clause: `${RULE}, 4`,
    subscribe: ['quotes:A;throttle_ms=250'],
    steps: [
      opens('quotes:A;throttle_ms=250'),
      sends('quotes:A 2 snapshot', 'quotes:A 5 prev=2', 'quotes:A 4 prev=1', 'quotes:A 6', 'cursor c1'),
      gives('quotes:A 2 snapshot', 'quotes:A 5 prev=2', 'quotes:A 6')
    ]
  },
  {
    name: 'rule/topics-are-apart',
    must: 'keep the last sequence of each topic apart',
    clause: 'Terms, topic',
    subscribe: ['trades:A,B', 'quotes:A'],
    steps: [
      opens('trades:A,B', 'quotes:A'),
      sends('trades:A 9', 'trades:B 1', 'quotes:A 4 snapshot', 'trades:B 2', 'trades:A 10', 'quotes:A 5',
        'cursor c1'),
      gives('trades:A 9', 'trades:B 1', 'quotes:A 4 snapshot', 'trades:B 2', 'trades:A 10', 'quotes:A 5')
    ]
  },
  {
    name: 'rule/gap-is-repaired',
    must: 'not give on a message behind a gap, but report the gap and resume from its cursor',
    clause: `${RULE}, 4`,
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2', 'cursor c1'), gives('trades:A 1', 'trades:A 2'),
      sends('trades:A 4', 'cursor c2'),
      opens('trades:A after=c1'), tells({ event: 'gap', channel: 'trades', symbol: 'A', sequence: 4 }),
      sends('trades:A 3', 'trades:A 4', 'cursor c3'), gives('trades:A 3', 'trades:A 4')
    ]
  },
  {
    name: 'rule/gap-after-a-fresh-beginning',
    must: 'repair a gap in a topic that it began anew, once it has been sent a message of that topic',
    clause: `${RULE}, 4`,
    over: ['websocket', 'event-stream'],
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2'), gives('trades:A 1', 'trades:A 2'), cut,
      opens('trades:A'), sends('trades:A 3', 'cursor c1'), gives('trades:A 3'),
      sends('trades:A 5', 'cursor c2'),
      opens('trades:A after=c1'), tells({ event: 'gap', channel: 'trades', symbol: 'A', sequence: 5 }),
      sends('trades:A 4', 'trades:A 5', 'cursor c3'), gives('trades:A 4', 'trades:A 5')
    ]
  },
  {
    name: 'rule/gap-by-prev',
    must: 'take a conflated message whose prev is above its last for a gap',
    clause: `${RULE}, 4`,
    subscribe: ['quotes:A;throttle_ms=250'],
    steps: [
      opens('quotes:A;throttle_ms=250'), sends('quotes:A 2 snapshot', 'cursor c1'),
      gives('quotes:A 2 snapshot'),
      sends('quotes:A 9 prev=5', 'cursor c2'), opens('quotes:A;throttle_ms=250 after=c1'),
      sends('quotes:A 9 snapshot', 'cursor c3'), gives('quotes:A 9 snapshot')
    ]
  },
  {
    name: 'rule/gap-that-stays',
    must: 'give the message on behind a reset (history_lost) if the same gap comes again at once',
    clause: 'docs/clients/conformance.md, A gap without a reset',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'),
      sends('trades:A 4', 'cursor c2'),
      opens('trades:A after=c1'), sends('trades:A 4', 'trades:A 5', 'cursor c3'),
      gives('reset trades:A history_lost', 'trades:A 4', 'trades:A 5')
    ]
  }
]
