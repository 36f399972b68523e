import { createServer } from 'node:net'
import { type Test, test } from 'tap'
import { openerOf } from '../../src/log/redis/masters/connection.js'
import { SentinelTopology } from '../../src/log/redis/masters/sentinels.js'
import type { Endpoint } from '../../src/log/redis/masters/address.js'
import { until } from '../helpers/clients.js'
import { listen } from '../helpers/network.js'

/** Which master a node believes while its Sentinels have not all learned of a failover. */

/** What a Sentinel says: the port of the master, and the failover that made it master. */
interface Said {
  port: number
  epoch: number
}

const list = (...texts: string[]): string =>
  `*${texts.length}\r\n${texts.map(text => `$${text.length}\r\n${text}\r\n`).join('')}`

/** Starts a Sentinel that speaks enough of RESP 3 for the questions of a node. */
async function startSentinel (t: Test, said: Said): Promise<{ readonly endpoint: Endpoint, tell (): void }> {
  const tells = new Set<() => void>()
  const port = await listen(t, createServer(socket => {
    tells.add(() => { socket.write('>3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$1\r\nx\r\n') })
    socket.on('data', data => {
      for (const [, command, second] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n(?:\$\d+\r\n(\S*)\r\n)?/g)) {
        switch (`${command!.toLowerCase()} ${second?.toLowerCase() ?? ''}`) {
          case 'hello 3':
            socket.write('%1\r\n$5\r\nproto\r\n:3\r\n')
            break
          case 'subscribe +switch-master':
            socket.write('>3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
            break
          case 'sentinel master':
            socket.write(
              list('ip', '127.0.0.1', 'port', String(said.port), 'config-epoch', String(said.epoch))
            )
            break
          case 'sentinel sentinels':
            socket.write('*0\r\n')
            break
          case 'info ':
            socket.write('$8\r\n# Server\r\n')
            break
          default:
            socket.write('+OK\r\n')
        }
      }
    })
  }))
  return { endpoint: { host: '127.0.0.1', port }, tell () { for (const tell of tells) tell() } }
}

test('believes the Sentinel with the newest failover, which counts it first and then names the new master', async t => {
  const said = [1, 2, 3].map((): Said => ({ port: 1000, epoch: 0 }))
  const sentinels = await Promise.all(said.map(one => startSentinel(t, one)))
  const address = {
    kind: 'sentinel',
    tls: false,
    sentinels: sentinels.map(({ endpoint }) => endpoint),
    master: 'prices',
    db: 0
  } as const
  const topology = new SentinelTopology(address, openerOf({ ...address, kind: 'cluster', nodes: [] }, {}))
  t.teardown(() => { topology.close() })
  const changes: number[] = []
  topology.onChange(() => { changes.push(topology.masterOf()!.port) })
  await topology.start()
  const beliefs = (): string => {
    const { beliefs } = topology as unknown as { beliefs: Map<string, { master: Endpoint, epoch: number }> }
    return [...beliefs.values()].map(({ master, epoch }) => `${master.port}@${epoch}`).sort().join(' ')
  }
  const say = async (which: number, next: Said): Promise<void> => {
    Object.assign(said[which]!, next)
    sentinels[which]!.tell()
    const all = said.map(({ port, epoch }) => `${port}@${epoch}`).sort().join(' ')
    await until(`the node has heard: ${all}`, () => beliefs() === all)
  }
  await until('the node has heard all', () => beliefs() === '1000@0 1000@0 1000@0')
  t.equal(topology.masterOf()!.port, 1000)
  await say(0, { port: 1000, epoch: 1 })
  t.same(changes, [], 'it leads a failover, and nothing has changed yet')
  await say(0, { port: 2000, epoch: 1 })
  t.same(changes, [2000], 'one that knows is enough')
  await say(1, { port: 2000, epoch: 1 })
  await say(2, { port: 2000, epoch: 1 })
  t.same(changes, [2000])

  await say(0, { port: 2000, epoch: 2 })
  await say(1, { port: 3000, epoch: 2 })
  await say(2, { port: 3000, epoch: 2 })
  t.same(changes, [2000, 3000], 'others heard of it before their leader said so itself')
  await say(0, { port: 3000, epoch: 2 })

  for (const which of [0, 1, 2]) await say(which, { port: 1000, epoch: 0 })
  t.same(changes, [2000, 3000, 1000], 'Sentinels that were set up again count from the beginning')
})
