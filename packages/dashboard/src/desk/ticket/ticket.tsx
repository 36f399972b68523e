import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { useAction, useTopic } from '@tickwire/client/react'
import type { OrderType, TimeInForce } from '@tickwire/protocol'
import { groupDigits } from '../../app/format.js'
import { keptStore } from '../../app/kept.js'
import { Panel } from '../../app/panel.js'
import { useWords } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { useActions } from '../actions.js'
import { ConfirmDialog, ignoreDoubleClick, ignoreHeldEnter } from '../confirm.js'
import { useInstrument } from '../instruments.js'
import { useTradeNeeded } from '../needs-login.js'
import { orderWords } from '../orders/order-words.js'
import { useSelected } from '../selection.js'
import { DecimalField } from './decimal-field.js'
import { changeDraft, draft, draftFor } from './draft.js'
import { Estimate } from './estimate.js'
import { Outcome } from './outcome.js'
import { isPrefilled } from './prefill.js'
import { Summary } from './summary.js'
import {
  type Faults, faultsOf, faultWords, hasLimit, hasStop, ORDER_TYPES, orderOf, timesFor
} from './terms.js'
import { ticketWords } from './ticket-words.js'
import '../private.css'
import './ticket.css'

/** Whether an order is shown once more before it is sent. */
const confirms = keptStore('confirm orders', true, value => typeof value === 'boolean')

/** Sends orders for the selected symbol. */
export function TicketPanel (): ReactNode {
  const text = useWords(ticketWords)
  const symbol = useSelected()
  const needed = useTradeNeeded()
  return (
    <Panel
      name='ticket' title={text.title}
      empty={needed ?? (symbol === undefined ? text.select : undefined)}
    >
      {symbol !== undefined && needed === undefined && <Ticket symbol={symbol} />}
    </Panel>
  )
}

function Ticket ({ symbol }: { readonly symbol: string }): ReactNode {
  const [text, names, faultText] = [useWords(ticketWords), useWords(orderWords), useWords(faultWords)]
  const instrument = useInstrument(symbol)
  // Live even on a frozen page: no order is estimated by an old price.
  const quote = useTopic('quotes', symbol)?.data
  const held = draftFor(symbol, useStore(draft))
  const [isConfirming, setIsConfirming] = useState(false)
  /** Faults are shown once somebody has tried to send. */
  const [isTried, setIsTried] = useState(false)
  const mustConfirm = useStore(confirms)
  const actions = useActions()
  const [send, sent] = useAction(async () => await actions.submitOrder(orderOf(held)))
  const quantity = useRef<HTMLInputElement>(null)
  const mustFocus = useStore(isPrefilled)
  useEffect(() => {
    if (!mustFocus) return
    quantity.current?.focus()
    isPrefilled.set(false)
  }, [mustFocus])

  const touch = held.side === 'buy' ? quote?.bid : quote?.ask
  const awaitsPrice = hasLimit(held) && held.limitPrice === undefined && touch !== undefined
  useEffect(() => {
    // Once only: a price that moves while somebody reads it would be sent unread.
    if (awaitsPrice) changeDraft(symbol, { limitPrice: touch })
  }, [awaitsPrice, symbol, touch])

  const sendText = text.sendOf(names[held.side], symbol)
  const faults: Faults = faultsOf(held, instrument, faultText)
  const shown = isTried ? faults : {}
  const change = (changed: Parameters<typeof changeDraft>[1]): void => { changeDraft(symbol, changed) }
  const changeType = (type: OrderType): void => {
    change({ type, ...(timesFor(type).includes(held.timeInForce) ? {} : { timeInForce: 'day' }) })
  }
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault()
    setIsTried(true)
    const [first] = Object.keys(faults)
    if (first !== undefined) {
      const field = (event.target as HTMLFormElement).elements.namedItem(first)
      if (field instanceof HTMLElement) field.focus()
    } else if (mustConfirm) setIsConfirming(true)
    else void send()
  }
  return (
    <>
      <form className='form ticket' noValidate onSubmit={onSubmit} onKeyDown={ignoreHeldEnter}>
        <p className='ticket-symbol'>
          <strong>{symbol}</strong> <span className='faint'>{instrument?.name}</span>
        </p>
        <fieldset className='segments' data-side={held.side}>
          <legend className='hidden'>{text.side}</legend>
          {(['buy', 'sell'] as const).map(side => (
            <label key={side}>
              <input
                type='radio' name='side' value={side} checked={held.side === side}
                onChange={() => { change({ side }) }}
              />
              {names[side]}
            </label>
          ))}
        </fieldset>
        <div className='ticket-pair'>
          <label>{text.type}
            <select
              name='type' value={held.type}
              onChange={({ target }) => { changeType(target.value as OrderType) }}
            >
              {ORDER_TYPES.map(type => <option key={type} value={type}>{names[type]}</option>)}
            </select>
          </label>
          <label>{text.timeInForce}
            <select
              name='timeInForce' value={held.timeInForce}
              onChange={({ target }) => { change({ timeInForce: target.value as TimeInForce }) }}
            >
              {timesFor(held.type).map(time => <option key={time} value={time}>{names[time]}</option>)}
            </select>
          </label>
        </div>
        <DecimalField
          label={text.quantity} name='quantity' value={held.quantity} step={instrument?.lot_size}
          fault={shown.quantity} inputRef={quantity} onChange={typed => { change({ quantity: typed }) }}
        />
        {hasStop(held) && (
          <DecimalField
            label={text.stopPrice} name='stopPrice' value={held.stopPrice} step={instrument?.tick_size}
            fault={shown.stopPrice} onChange={typed => { change({ stopPrice: typed }) }}
          >
            <Fill prices={{ [text.last]: quote?.last }} onFill={stopPrice => { change({ stopPrice }) }} />
          </DecimalField>
        )}
        {hasLimit(held) && (
          <DecimalField
            label={text.limitPrice} name='limitPrice' value={held.limitPrice ?? ''}
            step={instrument?.tick_size} fault={shown.limitPrice}
            onChange={typed => { change({ limitPrice: typed }) }}
          >
            <Fill
              prices={{ [text.bid]: quote?.bid, [text.ask]: quote?.ask }}
              onFill={limitPrice => { change({ limitPrice }) }}
            />
          </DecimalField>
        )}
        <Estimate draft={held} instrument={instrument} quote={quote} />
        <label className='check'>
          <input
            type='checkbox' name='confirm' checked={mustConfirm}
            onChange={({ target }) => { confirms.set(target.checked) }}
          />
          {text.confirmFirst}
        </label>
        <div className='send'>
          <Outcome orderId={sent.result?.order_id} error={sent.error} />
          <button
            type='submit' className='main' data-send aria-disabled={sent.pending} onClick={ignoreDoubleClick}
          >
            {sent.pending ? text.sending : sendText}
          </button>
        </div>
      </form>
      <ConfirmDialog
        title={text.confirmTitle} isOpen={isConfirming} confirm={sendText}
        onConfirm={() => { void send() }} onClose={() => { setIsConfirming(false) }}
      >
        <Summary draft={held} instrument={instrument} quote={quote} />
        <label className='check'>
          <input
            type='checkbox' checked={!mustConfirm}
            onChange={({ target }) => { confirms.set(!target.checked) }}
          />
          {text.doNotAsk}
        </label>
      </ConfirmDialog>
    </>
  )
}

/** Buttons that put a price of the quote into a field. */
function Fill ({ prices, onFill }: {
  readonly prices: Readonly<Record<string, string | undefined>>
  readonly onFill: (price: string) => void
}): ReactNode {
  return Object.entries(prices).map(([name, price]) => price !== undefined && (
    <button key={name} type='button' className='plain fill' onClick={() => { onFill(price) }}>
      {name} {groupDigits(price)}
    </button>
  ))
}
