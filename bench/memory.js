/**
 * How much memory an open connection costs: RSS of the server for each, with 5 of 1,000 topics, while nothing
 * is published.
 *
 * npm run bench -- memory [--clients 1000,10000] [--servers tickwire-ws,tickwire-sse,…]
 */
import { options, reportTable } from './report.js'
import { ROWS } from './fan-out/rows.js'
import { Session } from './fan-out/session.js'
import { SHAPES } from './fan-out/shapes.js'

const settings = options({ clients: '1000,10000', servers: 'c,tickwire-ws,tickwire-sse,socket.io,ws' })
const sizes = settings.clients.split(',').map(Number)

/** @param {import('./fan-out/rows.js').Row} row @param {number} clients */
async function measure (row, clients) {
  const session = await Session.open(row, { ...SHAPES['d'], clients }, { nodeArguments: ['--expose-gc'] })
  try {
    return await session.memoryPerConnection()
  } finally {
    await session.close()
  }
}

/** @type {Array<Record<string, string | number>>} */
const results = []
const kib = (/** @type {number} */ bytes) => Number((bytes / 1024).toFixed(1))
for (const name of settings.servers.split(',')) {
  const row = ROWS.find(candidate => candidate.name === name)
  if (row === undefined) {
    throw new Error(`there is no server ${name}; choose from ${ROWS.map(known => known.name).join(', ')}`)
  }
  /** @type {Record<string, string | number>} */
  const result = { server: name }
  /** @type {number[]} */
  const total = []
  for (const clients of sizes) {
    process.stderr.write(`${name} ${clients}…\n`)
    const each = await measure(row, clients)
    total.push(each * clients)
    result[`KiB each of ${clients}`] = kib(each)
  }
  const last = sizes.length - 1
  if (last > 0) result['KiB each beyond the first'] = kib((total[last] - total[0]) / (sizes[last] - sizes[0]))
  results.push(result)
}
reportTable('memory', settings, results)
