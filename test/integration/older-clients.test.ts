import { join } from 'node:path'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { until } from '../helpers/clients.js'
import { exchanges, type Play, playOf, startOlderServer } from '../helpers/older-exchanges.js'
import { providePython, runPython } from '../helpers/python-client.js'
import { ROOT } from '../helpers/root.js'

/** docs/compat.md: the exchanges of the older documents, played by clients that know nothing else. */

const FOLDER = join(ROOT, 'test/older')

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''

/** Plays all exchanges, each once the client of the one before has gone. */
async function playAll (t: Test, play: (exchange: Play) => Promise<unknown>): Promise<void> {
  const server = await startOlderServer(t)
  for (const exchange of exchanges) {
    t.equal(await play(playOf(server, exchange)), null, exchange.title)
    await until('the client has gone', () => server.parts.connections.active === 0)
  }
}

test('plays the exchanges of older documents with the package ws', async t => {
  // A page has no modules of Node, so the program takes what is global.
  Object.assign(globalThis, { WebSocket })
  const { play } = await import(join(FOLDER, 'play.js')) as { play: (exchange: Play) => Promise<unknown> }
  await playAll(t, play)
})

test('plays them with the package websockets of Python', { skip }, async t => {
  await playAll(t, async exchange => {
    const { stdout } = await runPython(program, [join(FOLDER, 'play.py')], `${JSON.stringify(exchange)}\n`)
    return JSON.parse(stdout)
  })
})
