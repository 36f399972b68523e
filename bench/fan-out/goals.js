/** The goals that ratios are read against. Nothing is asserted. */

/**
 * A server that joins this many times more messages than the C writer does other work: fewer and later
 * writes.
 */
const SAME_WINDOW = 1.25

/**
 * @typedef {{
 *   shape: string, server: string, 'msg/read': number,
 *   '× C': string | number, '× Socket.IO': string | number
 * }} Result
 */

/**
 * Compares results with the goals of their shapes.
 * @param {readonly import('./shapes.js').Shape[]} shapes
 * @param {readonly Result[]} results
 * @returns {string[]} a line for each shape and row that has a goal
 */
export function goals (shapes, results) {
  return shapes.flatMap(({ name, goals }) => {
    if (goals === undefined) return []
    const ofShape = results.filter(({ shape }) => shape === name)
    const limit = ofShape.find(({ server }) => server === 'c')
    const own = ofShape.filter(({ server }) => server.startsWith('tickwire') && server !== 'tickwire-poll')
    return own.map(result => {
      const { server } = result
      const joined = result['msg/read'] / (limit?.['msg/read'] ?? result['msg/read'])
      const isSse = server === 'tickwire-sse'
      const verdicts = [
        ...(joined > SAME_WINDOW ? [otherWindow(joined)] : []),
        judged(result['× C'], isSse ? goals.sse : goals.limit, 'the C writer'),
        ...(isSse ? [] : [judged(result['× Socket.IO'], goals.socketIo, 'Socket.IO')])
      ]
      return `${name} ${server}: ${verdicts.join('; ')}`
    })
  })
}

/** @param {number} joined */
const otherWindow = joined =>
  `finds ×${joined.toFixed(1)} as many messages at a time as the C writer sends, which is not the same window`

/** @param {string | number} ratio @param {number} most @param {string} whose */
function judged (ratio, most, whose) {
  if (typeof ratio === 'string') return `${whose} was not run`
  return `×${ratio} of ${whose}, goal at most ×${most}: ${ratio <= most ? 'holds' : 'does not hold'}`
}
