/** What the ratios are read against: nothing is asserted. */

/** Who joins this much more than the C writer does other work: fewer, later writes. */
const SAME_WINDOW = 1.25

/**
 * @param {readonly import('./shapes.js').Shape[]} shapes
 * @param {ReadonlyArray<{ shape: string, server: string, 'msg/read': number, '× C': string | number, '× Socket.IO': string | number }>} results
 * @returns {string[]} a line for each shape and row that has a goal
 */
export function goals (shapes, results) {
  return shapes.flatMap(({ name, goals }) => results.filter(({ shape, server }) => shape === name && server.startsWith('tickwire')).flatMap(result => {
    const { server } = result
    if (goals === undefined || server === 'tickwire-poll') return []
    const joined = result['msg/read'] / (results.find(limit => limit.shape === name && limit.server === 'c')?.['msg/read'] ?? result['msg/read'])
    const held = [
      ...(joined > SAME_WINDOW ? [`finds ×${joined.toFixed(1)} as many messages at a time as the C writer sends, which is not the same window`] : []),
      judged(result['× C'], server === 'tickwire-sse' ? goals.sse : goals.limit, 'the C writer'),
      ...(server === 'tickwire-sse' ? [] : [judged(result['× Socket.IO'], goals.socketIo, 'Socket.IO')])
    ]
    return [`${name} ${server}: ${held.join('; ')}`]
  }))
}

/** @param {string | number} ratio @param {number} most @param {string} whose */
function judged (ratio, most, whose) {
  if (typeof ratio === 'string') return `${whose} was not run`
  return `×${ratio} of ${whose}, goal at most ×${most}: ${ratio <= most ? 'holds' : 'does not hold'}`
}
