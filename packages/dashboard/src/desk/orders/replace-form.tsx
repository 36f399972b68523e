import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import type { Order } from '@tickwire/protocol'
import { useAction } from '@tickwire/client/react'
import { readDecimal } from '../../app/decimals.js'
import { useWords } from '../../app/preferences.js'
import { useActions } from '../actions.js'
import { wordsOf } from '../../app/ask.js'
import { ignoreDoubleClick, ignoreHeldEnter } from '../confirm.js'
import { useInstrument } from '../instruments.js'
import { amountFault, faultWords } from '../ticket/terms.js'
import { panelWords } from './panel-words.js'

const FIELDS = ['quantity', 'limit_price', 'stop_price'] as const
type Field = typeof FIELDS[number]
const NAMES = { quantity: 'quantity', limit_price: 'limit', stop_price: 'stop' } as const

/** New terms of an order, in its row. Only what is changed is sent. */
export function ReplaceForm ({ order, named, onDone }: {
  readonly order: Order
  readonly named: string
  readonly onDone: () => void
}): ReactNode {
  const [text, faultText] = [useWords(panelWords), useWords(faultWords)]
  const { tick_size: tick, lot_size: lot } = useInstrument(order.symbol) ?? {}
  const actions = useActions()
  // What the order had when the form was opened: a fill meanwhile does not undo what somebody types.
  const [before] = useState(order)
  const fields = FIELDS.filter(field => before[field] !== undefined)
  const [typed, setTyped] = useState<Partial<Record<Field, string>>>({})
  const [fault, setFault] = useState<string>()
  const [send, { pending, error }] = useAction(async (terms: Partial<Record<Field, string>>) => {
    await actions.replaceOrder({ order_id: order.order_id }, terms)
    onDone()
  })
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => { first.current?.focus() }, [])
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault()
    const changed = fields.filter(field => typed[field] !== undefined && typed[field] !== before[field])
    const found = changed
      .map(field => amountFault(typed[field]!, field === 'quantity' ? lot : tick, faultText))
      .find(one => one !== undefined)
    setFault(found)
    if (found !== undefined) return
    if (changed.length === 0) return onDone()
    void send(Object.fromEntries(changed.map(field => [field, readDecimal(typed[field]!)!])))
  }
  return (
    <form
      className='replace' aria-label={text.replaceOf(named)} onSubmit={onSubmit}
      onKeyDown={event => {
        ignoreHeldEnter(event)
        if (event.key === 'Escape') onDone()
      }}
    >
      {fields.map((field, index) => (
        <label key={field}>{text[NAMES[field]]}
          <input
            ref={index === 0 ? first : null} name={field} inputMode='decimal' autoComplete='off'
            value={typed[field] ?? before[field] ?? ''}
            onChange={({ target }) => { setTyped({ ...typed, [field]: target.value }) }}
          />
        </label>
      ))}
      <button type='submit' className='main' aria-disabled={pending} onClick={ignoreDoubleClick}>
        {text.save}
      </button>
      <button type='button' onClick={onDone}>{text.back}</button>
      <span role='alert' className='problem'>{fault ?? (error === undefined ? '' : wordsOf(error))}</span>
    </form>
  )
}
