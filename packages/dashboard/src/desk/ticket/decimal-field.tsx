import { type KeyboardEvent, type ReactNode, type Ref, useId } from 'react'
import { compareDecimals } from '@tickwire/protocol/decimal'
import { readDecimal, stepped } from '../../app/decimals.js'

const STEPS: Readonly<Record<string, number>> = { ArrowUp: 1, ArrowDown: -1, PageUp: 100, PageDown: -100 }
const WITH_SHIFT = 10

export interface DecimalFieldProps {
  readonly label: string
  readonly name: string
  readonly value: string
  readonly onChange: (typed: string) => void
  /** How far the arrow keys and the buttons go. */
  readonly step?: string | undefined
  readonly fault?: string | undefined
  readonly inputRef?: Ref<HTMLInputElement>
  /** Beside the label, such as buttons that fill the field. */
  readonly children?: ReactNode
}

/**
 * A field for an exact decimal: it stays text. Arrow keys go one step, with shift ten, and page keys a
 * hundred.
 */
export function DecimalField (
  { label, name, value, onChange, step, fault, inputRef, children }: DecimalFieldProps
): ReactNode {
  const id = useId()
  const go = (times: number): void => {
    if (step === undefined) return
    const next = stepped(readDecimal(value) ?? '0', step, times)
    onChange(compareDecimals(next, step) < 0 ? step : next)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const times = STEPS[event.key]
    if (times === undefined) return
    event.preventDefault()
    go(event.shiftKey ? times * WITH_SHIFT : times)
  }
  return (
    <div className='decimal-field'>
      <span className='decimal-head'><label htmlFor={id}>{label}</label>{children}</span>
      <span className='decimal-row'>
        <input
          ref={inputRef} id={id} name={name} value={value} inputMode='decimal' autoComplete='off'
          className='number' aria-invalid={fault !== undefined}
          aria-describedby={fault === undefined ? undefined : `${id}-fault`}
          onChange={({ target }) => { onChange(target.value) }} onKeyDown={onKeyDown}
        />
        {step !== undefined && [-1, 1].map(times => (
          <button
            key={times} type='button' tabIndex={-1} aria-label={`${label} ${times < 0 ? '−' : '+'} ${step}`}
            onClick={() => { go(times) }}
          >
            {times < 0 ? '−' : '+'}
          </button>
        ))}
      </span>
      {fault !== undefined && <span id={`${id}-fault`} className='problem'>{fault}</span>}
    </div>
  )
}
