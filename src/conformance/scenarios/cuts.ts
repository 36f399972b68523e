import type { Scenario } from '../scenario.js'
import { closes, cut, gives, opens, refuses, sends, writes } from '../steps.js'

/** The connection breaks, at any point. */
export const cutScenarios: readonly Scenario[] = [
  {
    name: 'cuts/resumes-from-its-cursor',
    must: 'come back after a cut with its newest cursor as after',
    clause: 'One URL',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2', 'cursor c1'), gives('trades:A 1', 'trades:A 2'),
      cut, opens('trades:A after=c1'), sends('trades:A 3', 'cursor c2'), gives('trades:A 3')
    ]
  },
  {
    name: 'cuts/keeps-the-newest-cursor',
    must: 'resume from the last cursor that it got, not from an earlier one',
    clause: 'Control, Cursors',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2', 'cursor c2', 'cursor c3'),
      gives('trades:A 1', 'trades:A 2'), cut, opens('trades:A after=c3'),
      sends('trades:A 3', 'cursor c4'), gives('trades:A 3')
    ]
  },
  {
    name: 'cuts/drops-what-comes-again',
    must: 'ignore messages that come again after a cut, because its cursor did not cover them',
    clause: "The client's rule, 4 and 5",
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2', 'trades:A 3'),
      gives('trades:A 1', 'trades:A 2', 'trades:A 3'), cut, opens('trades:A after=c1'),
      sends('trades:A 2', 'trades:A 3', 'trades:A 4', 'cursor c2'), gives('trades:A 4')
    ]
  },
  {
    name: 'cuts/before-the-first-cursor',
    must: 'subscribe anew without a position if it was cut before its first cursor, and ignore what it has',
    clause: "The client's rule, 4",
    steps: [
      opens('trades:A'), sends('trades:A 1', 'trades:A 2'), gives('trades:A 1', 'trades:A 2'), cut,
      opens('trades:A'), sends('trades:A 1', 'trades:A 2', 'trades:A 3', 'cursor c1'), gives('trades:A 3')
    ]
  },
  {
    name: 'cuts/before-any-answer',
    must: 'try again if the connection breaks before the server has answered anything',
    clause: 'Errors and closing',
    steps: [opens('trades:A'), cut, opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
  },
  {
    name: 'cuts/in-a-catch-up',
    must: 'resume from the last cursor of a catch-up if it is cut in the middle of it',
    clause: 'Control, Cursors',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'), cut,
      opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2', 'trades:A 3'),
      gives('trades:A 2', 'trades:A 3'), cut, opens('trades:A after=c2'),
      sends('trades:A 3', 'trades:A 4', 'cursor c3'), gives('trades:A 4')
    ]
  },
  {
    name: 'cuts/again-and-again',
    must: 'give each message once, however often it is cut',
    clause: "The client's rule, 4",
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'),
      ...[1, 2, 3, 4].flatMap(round => [
        gives(`trades:A ${round}`), cut, opens(`trades:A after=c${round}`),
        sends(`trades:A ${round}`, `trades:A ${round + 1}`, `cursor c${round + 1}`)
      ]),
      gives('trades:A 5')
    ]
  },
  {
    name: 'cuts/in-the-middle-of-a-message',
    must: 'give nothing of a message that it got in part, nor take a cursor that it got in part',
    clause: 'Server-Sent Events; Polling',
    over: ['event-stream', 'polling'],
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'),
      writes('data: {"type":"trade","channel":"trades","symbol":"A","seq'), cut,
      opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2'), gives('trades:A 2'),
      writes('event: cursor\nid: c3\ndata: c3\n'), cut,
      opens('trades:A after=c2'), sends('trades:A 3', 'cursor c3'), gives('trades:A 3')
    ]
  },
  {
    name: 'cuts/the-server-goes-away',
    must: 'come back after going_away and retry_after_ms, with its cursor',
    clause: 'Errors and closing',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'), closes('going_away', 500),
      opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2'), gives('trades:A 2')
    ]
  },
  {
    name: 'cuts/refused-between',
    must: 'keep its cursor while it is refused, and resume from it',
    clause: 'When the log cannot be reached',
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1'), cut,
      refuses('log_unavailable', 300), refuses('overloaded', 300),
      opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2'), gives('trades:A 2')
    ]
  },
  {
    name: 'cuts/cursor-of-a-heartbeat',
    must: 'take the cursor of a heartbeat as any other',
    clause: 'Control, Cursors',
    over: ['websocket'],
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2', 'heartbeat c2'),
      gives('trades:A 1', 'trades:A 2'), cut, opens('trades:A after=c2'),
      sends('trades:A 3', 'cursor c3'), gives('trades:A 3')
    ]
  }
]
