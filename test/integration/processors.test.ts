import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { deploy, patiently } from '../helpers/node-processes.js'
import { Choices } from '../helpers/random.js'
import { redisProgram } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { signedToken } from '../helpers/tokens.js'
import { judgeOutputs, messagesOf } from '../processors/judge.js'
import { tradeOf } from '../processors/proofs.js'
import { troubleServers } from '../processors/trouble.js'

/** Processors on three servers and one Redis, while servers are killed, stopped and ended. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const SYMBOLS = ['A', 'B', 'C', 'D', 'E', 'F']
const SECONDS = 20
const PATIENCE_MS = 60_000
const seed = Number(process.env['SEED'] ?? 15)

test(`keeps what processors publish exactly once, whatever becomes of servers (SEED=${seed})`, options, async t => {
  const random = new Choices(seed)
  const deployment = await deploy(t, ['a', 'b', 'c'], 'none', [join(ROOT, 'dist/test/processors/node.js')])
  const { nodes, observer: { parts: { log } } } = deployment
  let made = 0
  const publisher = new AbortController()
  const over = (): boolean => publisher.signal.aborted
  let refused = 0
  const publishing = (async () => {
    while (!over()) {
      const items = Array.from({ length: random.integer(1, 8) }, () => {
        const symbol = random.pick(SYMBOLS)
        const key = { idempotency_key: `k${++made}` }
        return random.next() < 0.3
          ? { channel: 'quotes', symbol, data: { symbol, bid: String(made) }, ...key }
          : {
              channel: 'trades',
              symbol,
              data: tradeOf(symbol, made),
              ...key
            }
      })
      // Sends it again until it is taken; its keys say what the log has already.
      for (let taken = false; !taken && !over();) {
        const response = await fetch(`${random.pick(nodes).origin}/v1/publish`, {
          method: 'POST',
          body: JSON.stringify(items),
          headers: {
            authorization: `Bearer ${signedToken({ sub: 'p', publish: ['*'] })}`,
            'content-type': 'application/json'
          },
          signal: AbortSignal.timeout(5000)
        }).catch(() => undefined)
        taken =
          response?.status === 200 &&
          ((await response.json()) as { rejected: unknown[] }).rejected.length === 0
        if (!taken) refused++
        await delay(10)
      }
    }
  })()
  const next = async (): Promise<{ node: typeof nodes[number] }> => ({ node: random.pick(nodes) })
  const happened = await troubleServers({ random, seconds: SECONDS, next })
  publisher.abort()
  await publishing
  t.comment(`${made} messages, ${refused} requests refused or unanswered; ${happened.join(', ')}`)
  const faultsNow = async (): Promise<string[]> =>
    await patiently(() => judgeOutputs(messagesOf(log), SYMBOLS, true))
  let faults = await faultsNow()
  const deadline = Date.now() + PATIENCE_MS
  for (; faults.length > 0 && Date.now() < deadline; await delay(200)) {
    faults = await faultsNow()
  }
  t.same(faults, [])
  t.ok(made > 200, `${made} messages`)
  const { leases } = await deployment.seen('all leases have a holder', ({ leases }) =>
    leases.length === 9 && leases.every(({ holder }) => holder !== undefined))
  t.same(leases.map(({ source }) => source).sort(), [
    'processor:bars/0',
    'processor:bars/1',
    'processor:bars/2',
    'processor:bars/3',
    'processor:counting/0',
    'processor:counting/1',
    'processor:counting/2',
    'processor:counting/3',
    'processor:valuing'
  ])
})
