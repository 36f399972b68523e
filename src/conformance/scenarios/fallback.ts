import type { Scenario, Step } from '../scenario.js'
import type { Obstacle } from '../server/scripted-server.js'
import type { Transport } from '../setup.js'
import { Failure } from '../watch.js'
import {
  blocks, cut, gives, hangs, meets, mute, opens, page, refuses, refusing, sends, stops, unblocks
} from '../steps.js'

const CLAUSE = 'docs/clients/conformance.md, Fallback'
const ALL = ['websocket', 'event-stream', 'polling'] as const
const LIVE = [opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]

/** Waits for a connection over just this transport. */
const isOver = (transport: Transport): Step => async play => {
  if (play.transport === transport) return
  throw new Failure(`it comes over ${play.transport}, and not over ${transport}`)
}

/** Something is in the way of the first transports; the client comes over the next. */
const obstacle = (
  name: string, what: string, over: Partial<Record<Transport, Obstacle>>, then: Transport
): Scenario => ({
  name: `fallback/${name}`,
  must: `fall back to ${then} if ${what}`,
  clause: CLAUSE,
  allows: ALL,
  steps: [blocks(over), ...LIVE, isOver(then)]
})

/** A transport does not come through, and the client goes on over the next one. */
export const fallbackScenarios: readonly Scenario[] = [
  {
    name: 'fallback/prefers-the-first',
    must: 'begin with the first transport that it may use',
    clause: CLAUSE,
    allows: ALL,
    steps: [...LIVE, isOver('websocket')]
  },
  obstacle('upgrade-refused', 'a proxy refuses the upgrade', { websocket: page(404) }, 'event-stream'),
  obstacle('upgrade-answered-200', 'a proxy answers the upgrade with a page',
    { websocket: page(200) }, 'event-stream'),
  obstacle('upgrade-502', 'a proxy answers the upgrade with 502', { websocket: page(502) }, 'event-stream'),
  obstacle('upgrade-hangs', 'nobody answers the upgrade', { websocket: hangs }, 'event-stream'),
  obstacle('no-welcome', 'the WebSocket opens and no welcome comes', { websocket: mute }, 'event-stream'),
  obstacle('stream-is-buffered', 'a proxy holds the event stream back',
    { websocket: page(400), 'event-stream': mute }, 'polling'),
  obstacle('stream-is-a-page', 'a proxy answers the event stream with a page',
    { websocket: page(400), 'event-stream': page(200) }, 'polling'),
  obstacle('both-hang', 'neither WebSocket nor event stream come through',
    { websocket: hangs, 'event-stream': hangs }, 'polling'),
  {
    name: 'fallback/starts-again-at-the-first',
    must: 'try all transports again, the first one first, when none has come through',
    clause: CLAUSE,
    allows: ALL,
    steps: [
      blocks({ websocket: page(502), 'event-stream': page(502), polling: page(502) }), meets('polling'),
      unblocks, ...LIVE, isOver('websocket')
    ]
  },
  {
    name: 'fallback/takes-its-cursor-along',
    must: 'resume over another transport from the cursor that it has, and ignore what comes again',
    clause: 'Terms, cursor',
    allows: ALL,
    steps: [
      opens('trades:A'), sends('trades:A 1', 'cursor c1', 'trades:A 2'), gives('trades:A 1', 'trades:A 2'),
      blocks({ websocket: page(403) }), cut, opens('trades:A after=c1'), isOver('event-stream'),
      sends('trades:A 2', 'trades:A 3', 'cursor c2', 'trades:A 4'), gives('trades:A 3', 'trades:A 4'),
      blocks({ 'event-stream': page(403) }), cut, opens('trades:A after=c2'), isOver('polling'),
      sends('trades:A 4', 'trades:A 5', 'cursor c3'), gives('trades:A 5')
    ]
  },
  {
    name: 'fallback/not-after-a-refusal',
    must: 'stop at a refusal of the server itself, and not try other transports',
    clause: 'Errors and closing',
    allows: ALL,
    steps: [blocks({ websocket: refusing('forbidden') }), stops('forbidden', 1)]
  },
  {
    name: 'fallback/not-while-overloaded',
    must: 'come back to the same transport if the server itself refuses for a while',
    clause: 'Errors and closing',
    allows: ALL,
    steps: [refuses('overloaded', 500), ...LIVE, isOver('websocket')]
  }
]
