import { label } from './view.js'

/** How many symbols of each market are chosen at first. */
const CHOSEN_OF_A_MARKET = 2

/**
 * Reads the known symbols.
 * @returns {Promise<{ symbol: string, market?: string, name?: string }[]>}
 */
export async function readSymbols (token) {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  const response = await fetch(new URL('v1/symbols', document.baseURI), { headers })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.message)
  return answer.symbols
}

/** The form in which a person chooses what all three columns subscribe to. */
export class Choice {
  /**
   * @param {HTMLElement} place the element for the symbols
   * @param {HTMLElement} place where the symbols go
   * @param {Awaited<ReturnType<typeof readSymbols>>} symbols
   * @param {(subscribe: string[]) => void} onChange
   */
  constructor (form, place, symbols, onChange) {
    this.form = form
    const markets = [...new Set(symbols.map(({ market }) => market))]
    const listedOn = market => symbols.filter(listed => listed.market === market)
    place.replaceChildren(...markets.map(market => fieldset(market ?? 'other', listedOn(market))))
    // Without known symbols a person could choose nothing.
    if (symbols.length === 0) form.elements.trades.value = 'all'
    form.addEventListener('submit', event => {
      event.preventDefault()
      if (this.subscribe.length > 0) onChange(this.subscribe)
    })
    form.addEventListener('change', () => { this.#judge() })
  }

  /** The choice, as the query of the stream has it: `quotes:*`, `trades:AAPL,MSFT`. */
  get subscribe () {
    const chosen = [...this.form.querySelectorAll('input:checked')].map(({ value }) => value).join(',')
    return ['quotes', 'trades'].flatMap(channel => {
      const which = this.form.elements[channel].value
      if (which === 'all') return [`${channel}:*`]
      return which === 'none' || chosen === '' ? [] : [`${channel}:${chosen}`]
    })
  }

  #judge () {
    this.form.querySelector('button').setAttribute('aria-disabled', String(this.subscribe.length === 0))
  }
}

function fieldset (market, listed) {
  const group = document.createElement('fieldset')
  const legend = document.createElement('legend')
  legend.textContent = market
  group.append(legend, ...listed.map(({ symbol, name }, index) => {
    const choice = document.createElement('label')
    const box = document.createElement('input')
    box.type = 'checkbox'
    box.name = 'symbol'
    box.value = symbol
    box.checked = index < CHOSEN_OF_A_MARKET
    choice.append(box, ...label(symbol, name))
    return choice
  }))
  return group
}
