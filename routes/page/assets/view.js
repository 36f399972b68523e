/**
 * How long a changed price is marked, and how often at most: a price that never rests does not need a mark
 * each time.
 */
const FLASH_MS = 600
const FLASH_EVERY_MS = 200

const calm = window.matchMedia('(prefers-reduced-motion: reduce)')

/** Shows a column. Its state is in data attributes, too: styles use them, and tests read them. */
export class ColumnView {
  /** The name of each symbol's instrument. */
  names = new Map()
  #rows = new Map()
  #sorted = []

  /**
   * @param {HTMLTemplateElement} template
   * @param {{ name: string, title: string, note: string }} transport
   * @param {() => void} onCut
   */
  constructor (template, { name, title, note }, onCut) {
    this.element = template.content.cloneNode(true).firstElementChild
    this.element.dataset.column = name
    this.element.querySelector('h2').textContent = title
    this.note = note
    this.noteText = this.element.querySelector('.note')
    this.element.querySelector('.scroll').setAttribute('aria-label', `${title}: prices and sequences`)
    this.stateText = this.element.querySelector('.state .text')
    this.body = this.element.querySelector('tbody')
    const figures = [...this.element.querySelectorAll('[data-figure]')]
    this.figures = Object.fromEntries(figures.map(figure => [figure.dataset.figure, figure]))
    this.cut = this.element.querySelector('.cut')
    this.cut.setAttribute('aria-label', `Cut the connection of ${title}`)
    this.cut.addEventListener('click', () => { if (this.cut.ariaDisabled !== 'true') onCut() })
  }

  /** Shows what has changed since the last time. */
  show (column, mayCut) {
    const { state, refusal, cuts, losses, resumes, duplicates, gaps, resets } = column
    const counts = { cuts, losses, resumes, duplicates, gaps, resets }
    Object.assign(this.element.dataset, { state, ...counts })
    setText(this.stateText, state)
    setText(this.noteText, refusal || this.note)
    for (const [name, value] of Object.entries(counts)) setText(this.figures[name], String(value))
    // Not `disabled`, which would take the keyboard's focus away with each cut.
    this.cut.ariaDisabled = String(!mayCut || state !== 'connected')
    for (const symbol of column.changed) this.#showSymbol(symbol, column)
    column.changed.clear()
  }

  showMeter ({ perSecond, latencyMs }) {
    setText(this.figures.rate, perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond)))
    setText(this.figures.latency, latencyMs === undefined ? '–' : `${Math.round(latencyMs)} ms`)
  }

  clear () {
    this.#rows.clear()
    this.#sorted = []
    this.body.replaceChildren()
  }

  #showSymbol (symbol, { prices, topics }) {
    const row = this.#rows.get(symbol) ?? this.#addRow(symbol)
    const price = prices.get(symbol)
    if (price !== undefined && price !== row.price.textContent) {
      this.#flash(row, Number(price) - Number(row.price.textContent))
      row.price.textContent = price
    }
    for (const channel of ['quotes', 'trades']) {
      const held = topics.get(`${channel}:${symbol}`)
      setText(row[channel], held === undefined ? '–' : String(held.last))
      if (held === undefined) delete row[channel].dataset.topic
      else Object.assign(row[channel].dataset, { topic: `${channel}:${symbol}`, ...held })
    }
  }

  #addRow (symbol) {
    const element = document.createElement('tr')
    const head = document.createElement('th')
    head.scope = 'row'
    head.append(...label(symbol, this.names.get(symbol)))
    head.title = head.textContent
    const [price, quotes, trades] = [0, 1, 2].map(() => document.createElement('td'))
    element.append(head, price, quotes, trades)
    const at = this.#sorted.findIndex(other => other > symbol)
    const next = at < 0 ? null : this.#rows.get(this.#sorted[at]).element
    this.#sorted.splice(at < 0 ? this.#sorted.length : at, 0, symbol)
    this.body.insertBefore(element, next)
    const row = { element, price, quotes, trades, flashedAt: 0 }
    this.#rows.set(symbol, row)
    return row
  }

  #flash (row, change) {
    const now = performance.now()
    if (calm.matches || change === 0 || now - row.flashedAt < FLASH_EVERY_MS) return
    row.flashedAt = now
    const style = window.getComputedStyle(this.element)
    const color = style.getPropertyValue(change > 0 ? '--up' : '--down')
    row.price.animate([{ backgroundColor: color }, { backgroundColor: 'transparent' }], FLASH_MS)
  }
}

/** Makes the label of a symbol: the symbol, and the name of its instrument beside it. */
export function label (symbol, name) {
  if (name === undefined || name === symbol) return [symbol]
  const text = document.createElement('span')
  text.className = 'name'
  text.textContent = name
  return [symbol, ' ', text]
}

/** Sets a text only if it differs: writing the same text again would still cost a layout. */
function setText (element, text) {
  if (element.textContent !== text) element.textContent = text
}
