import { type ErrorCode, errorTable } from '@tickwire/protocol'
import type { Scenario } from '../scenario.js'
import { transports } from '../setup.js'
import {
  adds, answersAsProxy, asks, blocks, closes, closesAlone, codesOf, cut, cuts, forbids, gives, grants, opens,
  over, refuses, refusesAction, refusing, sends, stops, tells, triesAtMost, unblocks
} from '../steps.js'

const CLAUSE = 'Errors and closing'
const RETRY_AFTER_MS = 600
const STREAMS = ['websocket', 'event-stream'] as const

const LIVE = [opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')]
const BACK = [opens('trades:A after=c1'), sends('trades:A 2', 'cursor c2'), gives('trades:A 2')]

/** Codes of a `closing`; the scenarios of close codes try the others. */
const CLOSINGS: readonly ErrorCode[] = ['forbidden', 'replaced', 'going_away', 'overloaded', 'internal']

/** One code for each close code: two codes with the same close code mean the same to a client. */
const oneOfEachClose = codesOf('stop', 'reconnect', 'backoff')
  .filter((code, index, all) => index === all.findIndex(other => isSameClose(code, other)))
function isSameClose (one: ErrorCode, other: ErrorCode): boolean {
  return errorTable[one].close === errorTable[other].close
}
const isFinal = (code: ErrorCode): boolean => errorTable[code].client === 'stop'

/** What a client does after each code of the table, and of one symbol that is refused. */
export const refusalScenarios: readonly Scenario[] = [
  // A client reads one table over all transports, so each final code is tried over one of them.
  ...codesOf('stop').map((code, index): Scenario => ({
    name: `refusals/${code}`,
    must: `stop, or report its selectors as rejected, if a request is refused with ${code}`,
    clause: CLAUSE,
    over: [transports[index % transports.length]!],
    steps: [
      blocks({
        websocket: refusing(code), 'event-stream': refusing(code), polling: refusing(code)
      }),
      stops(code, 2)
    ]
  })),
  ...codesOf('reconnect').map((code): Scenario => ({
    name: `refusals/${code}`,
    must: `come back after retry_after_ms if a request is refused with ${code}`,
    clause: CLAUSE,
    steps: [
      refuses(code, RETRY_AFTER_MS), opens('trades:A'), sends('trades:A 1', 'cursor c1'), gives('trades:A 1')
    ]
  })),
  {
    name: 'refusals/internal',
    must: 'come back with growing delays if a request is refused with internal',
    clause: CLAUSE,
    steps: [
      refuses('internal'), refuses('internal'), opens('trades:A'), sends('trades:A 1', 'cursor c1'),
      gives('trades:A 1')
    ]
  },
  ...[502, 504].map((status): Scenario => ({
    name: `refusals/${status}-of-a-proxy`,
    must: `come back after a proxy's own ${status}, as after a 503`,
    clause: CLAUSE,
    steps: [
      ...LIVE, cut, answersAsProxy(status), ...BACK
    ]
  })),
  {
    name: 'refusals/backs-off',
    must: 'wait longer and longer between its attempts, and come back in the end',
    clause: 'docs/clients/conformance.md, Retries',
    steps: [
      ...LIVE, blocks({ websocket: cuts, 'event-stream': cuts, polling: cuts }), cut,
      triesAtMost(12, 3000), unblocks, ...BACK
    ]
  },
  ...CLOSINGS.filter(isFinal).map((code): Scenario => ({
    name: `closing/${code}`,
    must: `stop when the server closes its connection with ${code}`,
    clause: CLAUSE,
    over: STREAMS,
    steps: [...LIVE, closes(code), stops(code, 1)]
  })),
  ...CLOSINGS.filter(code => !isFinal(code)).map((code): Scenario => ({
    name: `closing/${code}`,
    must: `come back with its cursor when the server closes its connection with ${code}`,
    clause: CLAUSE,
    over: STREAMS,
    steps: [...LIVE, closes(code, errorTable[code].client === 'backoff' ? undefined : RETRY_AFTER_MS),
      ...BACK]
  })),
  ...oneOfEachClose.map((code): Scenario => ({
    name: `close-codes/${errorTable[code].close}`,
    must: isFinal(code)
      ? `stop after the close code ${errorTable[code].close}, though no closing came before it`
      : `come back after the close code ${errorTable[code].close}, though no closing came before it`,
    clause: CLAUSE,
    over: ['websocket'],
    steps: [
      ...LIVE, closesAlone(code),
      ...isFinal(code) ? [stops(firstOfClose(code), 1)] : BACK
    ]
  })),
  {
    name: 'refusals/of-a-poll-between',
    must: 'ask again from its cursor after a poll is answered with 503',
    clause: 'Polling',
    over: ['polling'],
    steps: [...LIVE, closes('going_away', 300), ...BACK]
  },
  {
    name: 'refusals/of-a-subscribe-that-may-pass',
    must: 'subscribe again after retry_after_ms if an error refuses its subscribe for a while',
    clause: CLAUSE,
    over: ['websocket'],
    steps: [
      asks('trades:A'), refusesAction('log_unavailable', RETRY_AFTER_MS), adds(['trades:A'], []), grants,
      sends('trades:A 1', 'cursor c1'), gives('trades:A 1')
    ]
  },
  {
    name: 'refusals/of-a-subscribe-for-good',
    must: 'report a subscribe as rejected if an error refuses it for good',
    clause: CLAUSE,
    over: ['websocket'],
    steps: [asks('trades:A'), refusesAction('too_many_subscriptions'), stops('too_many_subscriptions', 1)]
  },
  {
    name: 'rejected/one-symbol',
    must: 'report a symbol that is refused as rejected, and go on with the others',
    clause: 'Client → server; One URL, all or nothing',
    subscribe: ['trades:A,B'],
    steps: [
      forbids({ 'trades:B': 'forbidden' }), ...rejecting('trades:A', 'trades:A,B'),
      tells({ event: 'rejected', channel: 'trades', symbol: 'B', code: 'forbidden' }),
      sends('trades:A 1', 'cursor c1'), gives('trades:A 1'), cut, ...BACK
    ]
  },
  {
    name: 'rejected/two-of-twenty',
    must: 'find every symbol that is refused, and go on with the others',
    clause: 'Client → server; One URL, all or nothing',
    subscribe: [`trades:${symbols(20)}`, 'news'],
    steps: [
      forbids({ 'trades:S3': 'unknown_symbol', 'trades:S17': 'unknown_symbol' }),
      ...rejecting(`trades:${symbols(20, 3, 17)}`, `trades:${symbols(20)}`, 'news'),
      tells({ event: 'rejected', channel: 'trades', symbol: 'S3', code: 'unknown_symbol' }),
      tells({ event: 'rejected', channel: 'trades', symbol: 'S17', code: 'unknown_symbol' }),
      sends('trades:S4 1', 'news 1', 'cursor c1'), gives('trades:S4 1', 'news 1')
    ]
  },
  {
    name: 'rejected/all',
    must: 'report the rejection of all that it asks for, and not ask for it again',
    clause: 'Client → server; One URL, all or nothing',
    steps: [
      forbids({ 'trades:A': 'unknown_symbol' }), over(['websocket'], opens('trades:A')),
      stops('unknown_symbol', 2)
    ]
  }
]

/** The first code of the table with a close code: the code alone tells no more. */
function firstOfClose (code: ErrorCode): ErrorCode {
  return (Object.keys(errorTable) as ErrorCode[]).find(other => isSameClose(code, other))!
}

/** On WebSocket the client asks for all, and is granted the rest; elsewhere it must find the rest. */
function rejecting (rest: string, all: string, ...others: string[]): Scenario['steps'] {
  return [
    over(['websocket'], opens(all, ...others)), over(['event-stream', 'polling'], opens(rest, ...others))
  ]
}

function symbols (count: number, ...without: number[]): string {
  return Array.from({ length: count }, (_, index) => index).filter(index => !without.includes(index))
    .map(index => `S${index}`).join(',')
}
