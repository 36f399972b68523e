// Shows quotes in page.html. A bundler makes one file of this and of the client: npx esbuild page.js --bundle
import { TickwireClient } from '@tickwire/client'

const client = new TickwireClient({ url: new URL('.', document.baseURI) })
const rows = new Map()

function rowOf (symbol) {
  let row = rows.get(symbol)
  if (row === undefined) {
    row = document.getElementById('quotes').insertRow()
    for (const text of [symbol, '', '']) row.insertCell().textContent = text
    rows.set(symbol, row)
  }
  return row
}

client.on('state', ({ name, transport = '' }) => {
  document.getElementById('state').textContent = `${name} ${transport}`
})

const quotes = client.subscribe('quotes', ['*'], { throttleMs: 250 })
quotes.onMessage(({ symbol, data }) => {
  const [, bid, ask] = rowOf(symbol).cells
  bid.textContent = data.bid ?? ''
  ask.textContent = data.ask ?? ''
})
// The quote that is shown is void; the present one follows.
quotes.onReset(({ symbol }) => {
  rows.get(symbol)?.remove()
  rows.delete(symbol)
})
