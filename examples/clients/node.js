// Prints the trades of all symbols, through every reconnect: node examples/clients/node.js [url]
import { TickwireClient } from '@tickwire/client'
import { WebSocket } from 'ws' // Node 22 has one of its own

const client = new TickwireClient({ url: process.argv[2] ?? 'http://127.0.0.1:8080', WebSocket })
client.on('state', ({ name, transport = '', reason = '' }) => { console.error(name, transport, reason) })
process.once('SIGINT', () => { client.close() })

const trades = client.subscribe('trades', ['*'])
const { rejected: [refusal] } = await trades.result
if (refusal !== undefined) {
  console.error(refusal.code, refusal.message)
  client.close()
}
// The loop ends when the client is closed.
for await (const event of trades) {
  if (event.type === 'reset') console.log(event.symbol, 'trades are missing:', event.reason)
  else console.log(event.symbol, event.data.price, event.data.size)
}
