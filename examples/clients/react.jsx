// Shows the quote and the trades of a symbol, with React.
import { TickwireClient } from '@tickwire/client'
import { TickwireProvider, useConnection, useQuote, useTrades } from '@tickwire/client/react'
import { createRoot } from 'react-dom/client'

const client = new TickwireClient({ url: new URL('.', document.baseURI) })

function Connection () {
  const { name, transport } = useConnection()
  return <p id='state'>{name} {transport}</p>
}

function Symbol ({ symbol }) {
  const quote = useQuote(symbol)
  const trades = useTrades(symbol, { limit: 5 })
  return (
    <section>
      <h1>{symbol}</h1>
      <p id='quote'>{quote === undefined ? '–' : `${quote.bid} / ${quote.ask}`}</p>
      <ol id='trades'>
        {trades.map(({ sequence, data }) => <li key={sequence}>{data.price} × {data.size}</li>)}
      </ol>
    </section>
  )
}

createRoot(document.getElementById('root')).render(
  <TickwireProvider client={client}>
    <Connection />
    <Symbol symbol='005930' />
  </TickwireProvider>
)
