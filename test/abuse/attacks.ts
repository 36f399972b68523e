import { setTimeout as delay } from 'node:timers/promises'
import { RawHttp } from '../helpers/raw-http.js'
import { ABUSER_ADDRESS, type Target } from './target.js'

/** One way to abuse a server, for as long as it is let. */
export interface Attack {
  readonly name: string
  readonly about: string
  /** What it must have been told at least once, of {@link Target.told}. */
  readonly told: readonly string[]
  run (target: Target): Promise<void>
}

const SLOW = 150
const DRIP_MS = 100
const RETRY_MS = 50
/** PROTOCOL.md, Limits: in which requests of an address are counted. */
const RATE_WINDOW_MS = 1000
/** More than one address may have. */
const CROWD = 300
const FLOODERS = 8
const LISTENERS = 30
/** Symbols of the feed that attacks read: see feed.ts. */
export const LARGE_TOPIC = 'book:LARGE'
export const MOVING_SYMBOLS = 200

const message = (fields: object): string => JSON.stringify(fields)

/** Connections that never say all they announce. */
async function drip (target: Target, head: string, drop: string): Promise<void> {
  await target.again(SLOW, async () => {
    const socket = target.raw(head)
    while (!target.over && !socket.destroyed) {
      socket.write(drop)
      await delay(DRIP_MS)
    }
  })
}

/**
 * Returns a socket that is open, or a useless one if the attack is over. It retries, because the requests of
 * an earlier attack may still count against it.
 */
async function opened (target: Target): Promise<ReturnType<Target['webSocket']>> {
  for (;;) {
    const socket = target.webSocket('')
    await new Promise(resolve => { socket.once('open', resolve).once('close', resolve) })
    if (socket.readyState === socket.OPEN || target.over) return socket
    await delay(RETRY_MS)
  }
}

function symbolsFrom (first: number): string[] {
  return ['*', '@market/M0', '@sector/X0', ...Array.from({ length: 100 }, (_, index) => `S${(first + index) % 2000}`)]
}

/** In the order in which they are run: the one table of what each must be told. */
export const attacks: readonly Attack[] = [
  {
    name: 'slow-headers',
    about: `${SLOW} connections whose request never ends`,
    told: ['answered 408', 'refused idle_timeout'],
    run: target => drip(target, 'GET /v1/stream?subscribe=quotes:* HTTP/1.1\r\nHost: x\r\n', 'X-Slow: x\r\n')
  },
  {
    name: 'slow-bodies',
    about: `${SLOW} publishes whose body never ends`,
    told: ['refused unauthorized', 'refused rate_limited'],
    run: target => drip(target, 'POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n', ' ')
  },
  {
    name: 'slow-reads',
    about: `${3 * LISTENERS} that ask for much and read none of it, over each transport, and some WebSockets that look now and then`,
    // What a peer is told that never reads, it does not hear.
    told: ['lagging'],
    async run (target) {
      // Each asks once, and what the attack before has asked counts against the same address.
      await delay(RATE_WINDOW_MS)
      for (let index = 0; index < LISTENERS; index++) {
        const socket = target.webSocket(`subscribe=${LARGE_TOPIC};last=10000`, false)
        if (index % 10 === 0) void target.glance(socket, message({ action: 'snapshot', channel: 'book', symbols: [LARGE_TOPIC.split(':')[1]] }))
        target.unread(`/v1/stream?subscribe=${LARGE_TOPIC};last=10000`, 'text/event-stream')
        target.unread(`/v1/stream?subscribe=${LARGE_TOPIC};last=10000&limit=10000`, 'application/json')
      }
      await target.rest()
    }
  },
  {
    name: 'connection-flood',
    about: `${CROWD} connections at once, and anew when refused`,
    told: ['refused too_many_connections'],
    async run (target) {
      await target.again(CROWD, async index => {
        const socket = target.webSocket(index % 2 === 0 ? '' : 'subscribe=quotes:*')
        await new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
      })
    }
  },
  {
    name: 'subscription-flood',
    about: `${FLOODERS} that subscribe and unsubscribe hundreds of symbols and sets without a pause`,
    told: ['error too_many_subscriptions'],
    async run (target) {
      let turn = 0
      await target.again(FLOODERS, async () => {
        await target.flood(target.webSocket(''), () => {
          turn++
          const channel = ['quotes', 'trades', 'book'][turn % 3]!
          return message({ action: turn % 16 === 15 ? 'unsubscribe' : 'subscribe', channel, symbols: symbolsFrom(turn * 37) })
        })
      })
    }
  },
  {
    name: 'message-flood',
    about: `${FLOODERS} that ask without a pause, half of them without reading an answer`,
    told: ['error rate_limited', 'closing rate_limited', 'closed 4429'],
    async run (target) {
      const asked = [message({ action: 'ping', id: 'x'.repeat(64) }), message({ action: 'snapshot', channel: 'quotes', symbols: ['*'] })]
      let turn = 0
      await target.again(FLOODERS, async index => {
        await target.flood(target.webSocket('', index % 2 === 0), () => asked[turn++ % 8 === 0 ? 1 : 0]!)
      })
    }
  },
  {
    name: 'bad-messages',
    about: `${FLOODERS} that send nothing but what is malformed, and come back`,
    told: ['error invalid_json', 'closing bad_request', 'closed 4400'],
    run: target => target.again(FLOODERS, async () => { await target.flood(target.webSocket(''), () => '{"action":"subscribe","symbols":[') })
  },
  {
    name: 'bad-tokens',
    about: `${FLOODERS} that try tokens without a pause, by message and by header`,
    told: ['error unauthorized', 'closing unauthorized', 'closed 4401', 'refused 401'],
    async run (target) {
      let turn = 0
      const guess = (): string => `${target.token.slice(0, -6)}${String(turn++).padStart(6, 'A')}`
      await Promise.all([
        target.again(FLOODERS / 2, async () => { await target.flood(target.webSocket(''), () => message({ action: 'auth', token: guess() })) }),
        target.again(FLOODERS / 2, async () => {
          const http = new RawHttp(target.port, ABUSER_ADDRESS)
          for (let tries = 0; tries < 100 && !target.over; tries++) {
            const answer = await http.send(`GET /v1/stream?subscribe=quotes:A HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${guess()}\r\n\r\n`, 5000)
            target.note(typeof answer === 'string' ? answer : `refused ${answer.status}`)
          }
          http.close()
        })
      ])
    }
  },
  {
    name: 'throttles',
    about: '20 whose every subscription has another interval, thousands in all',
    told: ['error rate_limited'],
    async run (target) {
      let interval = 0
      await Promise.all(Array.from({ length: 20 }, async () => {
        const socket = await opened(target)
        // One interval for each symbol: the last that is asked for counts.
        for (let symbol = 0; symbol < MOVING_SYMBOLS * 5 && socket.readyState === socket.OPEN; symbol++) {
          socket.send(message({ action: 'subscribe', channel: 'quotes', symbols: [`S${symbol % MOVING_SYMBOLS}`], throttle_ms: 10 + interval++ % 59_991 }))
          if (symbol % 50 === 49) await delay(20)
        }
      }))
      await target.rest()
    }
  }
]
