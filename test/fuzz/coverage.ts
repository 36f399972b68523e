import { clientActions, errorCodes, PublishItem, standardChannels } from '@tickwire/protocol'
import { columns } from '../fleet/columns.js'

/**
 * How often something was sent, how often it passed the parser, and how often it was answered without a
 * refusal.
 */
interface Count {
  sent: number
  passed: number
  accepted: number
}

/** What these versions of the protocol know of, and no input can bring about here. */
const NOT_HERE = new Map([
  ['internal', 'must never come'], ['replaced', 'for deployments that allow one stream a user'], ['log_unavailable', 'the log in memory is always there'], ['rate_limited', 'limits are set beyond what is sent here']
])

const STREAM_PARAMETERS = ['subscribe', 'throttle_ms', 'after', 'lastEventId', 'snapshot', 'decimals', 'wait', 'limit', 'token', 'ticket']
const OPTIONS = ['throttle_ms', 'depth', 'last', 'fresh']

/** All that is to be reached, in the order of the table. */
const groups: ReadonlyArray<readonly [group: string, names: readonly string[]]> = [
  ...Object.entries(clientActions).map(([action, schema]) => [`action ${action}`, Object.keys(schema.properties)] as const),
  ...['websocket', 'sse', 'poll'].map(transport => [`query of ${transport}`, [...STREAM_PARAMETERS, ...OPTIONS.map(option => `;${option}`)]] as const),
  ['query of history', ['topic', 'after', 'epoch', 'limit']],
  ['query of bars', ['symbol', 'interval', 'from', 'to', 'limit']],
  ['query of snapshot', ['topic']],
  ['query of symbols', ['market', 'sector']],
  ['header', ['authorization', 'last-event-id', 'x-request-id', 'accept-encoding', 'origin', 'sec-websocket-protocol']],
  ['body of publish', Object.keys(PublishItem.properties)],
  ['body of disconnect', ['connection_id', 'user_id']],
  ['channel subscribed', [...standardChannels.keys()]],
  ['channel published', [...standardChannels.keys()]],
  ['error code', errorCodes]
]

/** Parameters that a kind of request does not take; only refusals of them can be seen. */
const REFUSED_ONLY = new Set(['query of websocket wait', 'query of websocket limit', 'query of sse wait', 'query of sse limit', ...['instruments', 'instruments.overrides', 'acknowledgements', 'alert_rules', 'commands', 'accounts', 'open_orders'].flatMap(name => [`channel subscribed ${name}`, `channel published ${name}`]), ...['websocket', 'sse', 'poll'].map(name => `query of ${name} ticket`)])

/** What inputs have reached. */
export class Coverage {
  private readonly counts = new Map<string, Count>(groups.flatMap(([group, names]) => names.map(name => [`${group} ${name}`, { sent: 0, passed: 0, accepted: 0 }])))
  inputs = 0
  passed = 0

  /** What is not in the table, as a name that was garbled, is not counted. */
  count (group: string, name: string, passed: boolean, accepted: boolean): void {
    const count = this.counts.get(`${group} ${name}`)
    if (count === undefined) return
    count.sent++
    if (passed) count.passed++
    if (accepted) count.accepted++
  }

  /** Something that was counted when it was sent has been accepted. */
  accepted (group: string, name: string): void {
    const count = this.counts.get(`${group} ${name}`)
    if (count !== undefined) count.accepted++
  }

  /** One message, query or body. */
  input (passed: boolean): void {
    this.inputs++
    if (passed) this.passed++
  }

  code (code: string): void {
    this.count('error code', code, true, true)
  }

  /** What should have been reached and was not. */
  missing (): string[] {
    return groups.flatMap(([group, names]) => names.flatMap(name => {
      const { sent, accepted } = this.counts.get(`${group} ${name}`)!
      if (group === 'error code' && NOT_HERE.has(name)) return []
      if (sent === 0) return [`${group}: ${name} was never reached`]
      return accepted === 0 && !REFUSED_ONLY.has(`${group} ${name}`) ? [`${group}: ${name} was never accepted`] : []
    }))
  }

  /** The table, line by line. */
  lines (): string[] {
    const rows = groups.flatMap(([group, names]) => names.map(name => {
      const { sent, passed, accepted } = this.counts.get(`${group} ${name}`)!
      if (group === 'error code') return [group, name, String(sent), '', NOT_HERE.get(name) ?? '']
      return [group, name, String(sent), String(passed), String(accepted)]
    }))
    const all = [['', '', 'sent', 'passed', 'accepted'], ...rows]
    return columns(all, (column, row) => column < 2 || (column === 4 && row[0] === 'error code'))
  }
}
