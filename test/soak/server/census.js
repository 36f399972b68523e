import { getEventListeners } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { queryObjects } from 'node:v8'
import { WebSocket } from 'ws'
import { Connection } from '../../../dist/src/connection/connection.js'
import { CatchUp } from '../../../dist/src/hub/catch-up/catch-up.js'

/**
 * The classes of what a client brings, and of what holds it. None of it may be on the heap after the client
 * has left. Counting each class searches the whole heap.
 */
const CLASSES = { Connection, CatchUp, WebSocket, Socket, IncomingMessage, ServerResponse, AbortSignal }

/**
 * Node's own lists. `getActiveResourcesInfo` leaves out timers that keep no process alive, as most of this
 * server's timers are.
 */
const { timerListMap } = createRequire(import.meta.url)('internal/timers')

/** How many timers there are, by their milliseconds. @returns {Record<string, number>} */
function timers () {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const [milliseconds, list] of Object.entries(timerListMap)) {
    for (let timer = list._idleNext; timer !== list; timer = timer._idleNext) count(counts, `timers of ${milliseconds} ms`)
  }
  return counts
}

/** @param {Record<string, number>} counts @param {string} name @param {number} [by] */
function count (counts, name, by = 1) {
  counts[name] = (counts[name] ?? 0) + by
}

/** @param {string} name @param {import('node:events').EventEmitter} emitter */
const listenersOf = (name, emitter) => Object.fromEntries(emitter.eventNames().map(event => [`listeners of ${name}: ${String(event)}`, emitter.listenerCount(event)]))

/**
 * Counts everything that clients hold only while they are connected. It reads the running server's own parts,
 * whatever these say of themselves.
 * @param {import('fastify').FastifyInstance} app
 * @param {import('ws').WebSocketServer} webSocketServer of the plugin's own scope
 * @returns {Promise<Record<string, number>>}
 */
export async function census (app, webSocketServer) {
  const { parts } = app.tickwire
  // Private fields are what is looked into: that is what a leak is in.
  const connections = /** @type {any} */ (parts.connections)
  const hub = /** @type {any} */ (parts.hub)
  const log = /** @type {any} */ (parts.log)
  const stream = /** @type {any} */ (parts.stream)
  const coordination = /** @type {any} */ (parts.coordination)
  const clocks = [...hub.conflator.clocks.values()]
  const sum = (/** @type {number[]} */ numbers) => numbers.reduce((total, number) => total + number, 0)
  /** @type {Record<string, number>} */
  const resources = {}
  for (const name of process.getActiveResourcesInfo()) count(resources, `resources: ${name}`)
  const sockets = await new Promise(resolve => {
    app.server.getConnections((_, number) => { resolve(number) })
  })
  return {
    'connections: sockets': sockets,
    'connections: slots': connections.quota.count,
    'connections: addresses': connections.quota.byAddress.counts.size,
    'connections: users': connections.quota.byUser.counts.size,
    'connections: members': connections.open.size,
    'connections: cursors pending': connections.cursorPending.size,
    'connections: by id': connections.registry.byId.size,
    'connections: polls that linger': stream.polls.lingering.size,
    ...Object.fromEntries([...parts.counters.all()].flatMap(([name, { opened, closed, lagging }]) => [
      [`connections: open on ${name}`, opened - closed], [`connections: lagging on ${name}`, lagging]])),
    'connections: of the WebSocket server': webSocketServer.clients.size,
    'subscriptions: counted': parts.counters.subscriptions,
    'subscriptions: selectors': hub.audience.selectors.size,
    'subscriptions: subscribers': hub.audience.everybody().size,
    'subscriptions: sets': hub.audience.bySet.size,
    'hub: waited for': hub.turn.next === undefined ? 0 : 1,
    'hub: pending topics': hub.pending.size,
    'hub: clocks': clocks.length,
    'hub: pending messages of clocks': sum(clocks.map(({ pending, silent }) => pending.size + silent.size)),
    'hub: states of cut books': hub.cutStates.topics.size,
    'hub: cursors held back': hub.cursor.unmoved.size,
    'hub: topics with an audience kept': [...hub.audience.found.values()].filter(audience => !audience.empty).length,
    'hub: topics looked up': hub.audience.found.size,
    'hub: topics known': hub.directory.positions.size,
    'log: topics': log.contents.topics.histories.size,
    'log: listeners': log.listeners.size,
    'coordination: texts': coordination.texts.size,
    'coordination: windows': coordination.windows.size,
    ...timers(),
    ...resources,
    ...listenersOf('process', process),
    ...listenersOf('the HTTP server', app.server),
    ...listenersOf('the WebSocket server', webSocketServer),
    'listeners of draining': getEventListeners(stream.draining, 'abort').length,
    ...Object.fromEntries(Object.entries(CLASSES).map(([name, constructor]) => [`heap: ${name}`, queryObjects(constructor, { format: 'count' })]))
  }
}
