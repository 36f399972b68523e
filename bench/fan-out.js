/**
 * What it costs to send a message to many clients. The same run measures this server, a writer in C that does
 * nothing else (the limit), Socket.IO, Centrifugo, and `ws.send` for each client, one after another.
 *
 * npm run bench -- fan-out [--shapes a,b,c,d] [--servers c,tickwire-ws,…] [--seconds 8] [--warm-up 2]
 * [--rounds 1] [--publish self,http,ws] [--warm-up-ms 0] [--profile folder]
 *
 * README.md explains the shapes and rows, and how to read the table.
 */
import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { options, reportTable } from './report.js'
import { CENTRIFUGO, centrifugo } from './fan-out/centrifugo.js'
import { goals } from './fan-out/goals.js'
import { ROWS } from './fan-out/rows.js'
import { Session } from './fan-out/session.js'
import { SHAPES } from './fan-out/shapes.js'

/** If the load generator uses more of its core than this share, it may be what was measured. */
const MOST_LOAD_CPU = 0.8
/** If other programs use more of the server's core than this share, the row is marked. */
const MOST_OTHERS = 0.1
/** If clients should get this many messages on average, each of them gets at least one. */
const EVERY_CLIENT_GETS_SOME = 20
/**
 * The server sends messages in the turn in which they are published, so that the feeder's window is the flush
 * window.
 */
const FLUSH_WITH_FEEDER = 0

const settings = options({
  shapes: Object.keys(SHAPES).join(','),
  servers: ROWS.map(({ name }) => name).join(','),
  seconds: 8,
  'warm-up': 2,
  rounds: 1,
  publish: 'self',
  'warm-up-ms': 0,
  profile: ''
})
const shapes = settings.shapes.split(',').map(name => SHAPES[name] ?? refuse(`there is no shape ${name}`))
const WAYS = /** @type {const} */ (['self', 'http', 'ws'])
const ways = settings.publish.split(',').map(name => {
  return WAYS.find(way => way === name) ?? refuse(`there is no way to publish called ${name}`)
})
/** @typedef {import('./fan-out/rows.js').Row & { publish: import('./fan-out/session.js').Way }} Measured */
const rows = settings.servers.split(',').flatMap(/** @returns {Measured[]} */ name => {
  const row = ROWS.find(row => row.name === name) ?? refuse(`there is no server ${name}`)
  if (row.program === 'tickwire') return ways.map(publish => ({ ...row, publish }))
  if (row.name !== 'centrifugo') return [{ ...row, publish: WAYS[0] }]
  const binary = centrifugo()
  return binary === undefined ? [] : [{ ...row, binary, publish: 'centrifugo' }]
})

/** @param {string} message @returns {never} */
function refuse (message) {
  const [shapes, servers] = [Object.keys(SHAPES), ROWS.map(({ name }) => name)]
  console.error(`${message}; shapes: ${shapes.join(', ')}; servers: ${servers.join(', ')}; ` +
    `ways to publish: ${WAYS.join(', ')}`)
  process.exit(2)
}

/**
 * @typedef {{
 *   shape: string, server: string, 'µs/message': number, 'msg/read': number,
 *   '× C': string | number, '× Socket.IO': string | number
 * } & Record<string, string | number>} Result
 */

/** @type {Result[]} */
const results = []
for (const shape of shapes) {
  /** @type {Result[]} */
  const measured = []
  for (let round = 1; round <= settings.rounds; round++) {
    for (const row of rows) {
      process.stderr.write(`${shape.name} ${row.name} ${row.publish}…\n`)
      measured.push(await run(row, shape))
    }
  }
  const ofShape = rows.map(({ name, publish }) => (
    middle(measured.filter(result => result.server === name && result['publish'] === publish))))
  const of = (/** @type {string} */ name) => ofShape.find(({ server }) => server === name)?.['µs/message']
  for (const result of ofShape) {
    result['× C'] = ratio(result['µs/message'], of('c'))
    result['× Socket.IO'] = ratio(result['µs/message'], of('socket.io'))
    result['× Centrifugo'] = ratio(result['µs/message'], of('centrifugo'))
  }
  results.push(...ofShape)
}

/** Returns the round with the median figure, which stands for its row. @param {Result[]} rounds */
function middle (rounds) {
  return rounds.sort((one, other) => one['µs/message'] - other['µs/message'])[(rounds.length - 1) >> 1]
}

/** @param {number} value @param {number | undefined} to */
function ratio (value, to) {
  return to === undefined ? '-' : round(value / to, 2)
}

/** @param {number} value @param {number} digits */
function round (value, digits) {
  return Number(value.toFixed(digits))
}

/**
 * @param {Measured} row
 * @param {import('./fan-out/shapes.js').Shape} shape
 * @returns {Promise<Result>}
 */
async function run (row, shape) {
  const session = await Session.open(row, shape, {
    ...(row.ownWindow === true ? {} : { flush: FLUSH_WITH_FEEDER }),
    publish: row.publish,
    warmMs: settings['warm-up-ms'],
    nodeArguments: settings.profile === '' ? [] : ['--cpu-prof', `--cpu-prof-dir=${settings.profile}`]
  })
  try {
    const memory = await session.memoryPerConnection()
    await session.publish(shape.rate)
    await delay(settings['warm-up'] * 1000)
    const span = await session.measure(settings.seconds)
    const { expected, counted } = await session.end()
    const loadCpu = span.loadCpu / span.seconds
    const late = span.published < 0.98 * shape.rate * span.seconds
    const saturated = span.cpu > 0.95 * span.seconds
    const marks = [
      late && saturated ? 'saturated' : '',
      span.othersCpu > MOST_OTHERS * span.seconds ? 'disturbed' : '',
      late && !saturated ? 'published less' : '',
      loadCpu > MOST_LOAD_CPU ? 'load generator busy' : '',
      counted.messages === expected ? '' : `${expected - counted.messages} not delivered`,
      counted.closed === 0 ? '' : `${counted.closed} closed`,
      counted.least === 0 && expected > EVERY_CLIENT_GETS_SOME * shape.clients ? 'a client got nothing' : ''
    ]
    return {
      shape: shape.name,
      server: row.name,
      publish: row.publish,
      'µs/message': round(span.cpu * 1e6 / span.delivered, 2),
      '× C': '-',
      '× Socket.IO': '-',
      '× Centrifugo': '-',
      'msg/s published': Math.round(span.published / span.seconds),
      'msg/s delivered': Math.round(span.delivered / span.seconds),
      'msg/read': round(span.delivered / span.reads, 2),
      'bytes/msg': Math.round(span.bytes / span.delivered),
      'p50 ms': span.counted.p50,
      'p99 ms': span.counted.p99,
      'CPU %': Math.round(100 * span.cpu / span.seconds),
      'others %': Math.round(100 * span.othersCpu / span.seconds),
      'load CPU %': Math.round(100 * loadCpu),
      'KiB/connection': round(memory / 1024, 1),
      marks: marks.filter(mark => mark !== '').join(', ')
    }
  } finally {
    await session.close()
  }
}

const require = createRequire(import.meta.url)
const version = (/** @type {string} */ name) => require(`${name}/package.json`).version
const peers = { 'socket.io': version('socket.io'), ws: version('ws'), centrifugo: CENTRIFUGO }
reportTable('fan-out', { ...settings, peers }, results, goals(shapes, results))
