import { figureLines } from '../fleet/columns.js'
import type { RunReport } from './run.js'

const counts = (of: ReadonlyMap<string, number>): string =>
  [...of].map(([what, count]) => `${count} ${what}`).join(', ') || 'none'

/** Returns what happened, in lines. */
export function reportLines (report: RunReport): string[] {
  const { orders, copies, attempts, published, broken, statuses, messages, fills } = report
  const { websocket, rest } = attempts.sent
  return figureLines({
    orders: `${orders}, sent ${copies} times in all`,
    requests: `${websocket} over WebSocket, ${rest} over REST`,
    'sent again': counts(attempts.again),
    market: `${published} books and trades`,
    broken: counts(broken),
    messages,
    'orders stand': counts(statuses),
    fills: `${fills.atLevels} at displayed prices, ${fills.atLimits} at limits, ${fills.others} at limits when a server took over`
  })
}

/** Returns what is wrong, a line each. */
export function failures ({ violations, exitCodes, fills }: RunReport): string[] {
  return [
    ...violations,
    ...exitCodes.filter(code => code !== 0).map(code => `a node ended with ${String(code)}`),
    ...fills.atLevels > 0 && fills.atLimits > 0 ? [] : ['nothing was filled in one of the two ways']
  ]
}
