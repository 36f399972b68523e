import type { Scenario } from '../scenario.js'
import { freezes, gives, isPinged, opens, sends, staysAway } from '../steps.js'

const CLAUSE = 'docs/clients/conformance.md, Silence'
const LIVE = [opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
const BACK = [opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2'), gives('trades:A 2')]

/** Silence: of a server that has nothing to say, and of a connection that is dead. */
export const lifeScenarios: readonly Scenario[] = [
  {
    name: 'life/quiet',
    must: 'keep a connection on which nothing comes, as long as the server answers',
    clause: CLAUSE,
    over: ['websocket'],
    steps: [opens('trades:A'), sends('trades:A 1'), gives('trades:A 1'), isPinged, staysAway,
      sends('trades:A 2', 'cursor c1'), gives('trades:A 2')]
  },
  {
    name: 'life/silent',
    must: 'give up a connection that is silent and answers nothing, and resume from its cursor',
    clause: CLAUSE,
    over: ['websocket', 'event-stream'],
    steps: [...LIVE, freezes(), ...BACK]
  },
  {
    name: 'life/silent-though-there-is-news',
    must: 'give up an event stream that is silent although a poll brings messages',
    clause: CLAUSE,
    over: ['event-stream'],
    steps: [
      ...LIVE, freezes('trades:A 2'), ...BACK
    ]
  }
]
