// A process of `npm run bench -- reconnect`: clients that are dropped at once.
//   node bench/reconnect/clients.js <origin> <clients>
// It says `live` when all are; and, when all have come back, at which times by the clock.
import { setTimeout as delay } from 'node:timers/promises'
import { TickwireClient } from '@tickwire/client'
import { WebSocket } from 'ws'

const [url = '', count = '0'] = process.argv.slice(2)
const LOOK_MS = 2

const clients = Array.from({ length: Number(count) }, () => (
  new TickwireClient({ url, WebSocket, transports: ['websocket'] })
))
for (const client of clients) client.subscribe('quotes', ['A']).onMessage(() => {})

/** @param {number} connections how many each must have had */
async function live (connections) {
  const times = []
  for (let waiting = new Set(clients); waiting.size > 0; await delay(LOOK_MS)) {
    for (const client of waiting) {
      if (client.state.name !== 'live' || client.inspect().connections < connections) continue
      waiting.delete(client)
      times.push(Date.now())
    }
  }
  return times
}

await live(1)
process.send?.('live')
process.send?.(await live(2), undefined, undefined, () => { process.exit() })
