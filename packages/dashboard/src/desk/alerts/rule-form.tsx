import { type FormEvent, type ReactNode, useRef, useState } from 'react'
import { useAction } from '@tickwire/client/react'
import { useWords } from '../../app/preferences.js'
import { useActions } from '../actions.js'
import { wordsOf } from '../../app/ask.js'
import { ignoreDoubleClick, ignoreHeldEnter } from '../confirm.js'
import { alertWords } from './alert-words.js'
import {
  FIRST_RULE, hasPrice, INTERVALS, PRICES, type RuleDraft, ruleFault, ruleOf, TYPES, WINDOWS
} from './rule-draft.js'

type Chosen = 'type' | 'direction' | 'of' | 'within' | 'interval'
type Typed = 'hysteresis' | 'cooldown' | 'note'

/** Makes a rule for a symbol; each type has fields of its own. */
export function RuleForm ({ symbol, onMade }: {
  readonly symbol: string
  readonly onMade: () => Promise<void>
}): ReactNode {
  const text = useWords(alertWords)
  const actions = useActions()
  const [draft, setDraft] = useState(FIRST_RULE)
  const [fault, setFault] = useState<string>()
  const level = useRef<HTMLInputElement>(null)
  const [create, { pending, error }] = useAction(async () => {
    await actions.createAlert(ruleOf(symbol, draft))
    setDraft({ ...draft, level: '', note: '' })
    await onMade()
  })
  const change = (changed: Partial<RuleDraft>): void => { setDraft({ ...draft, ...changed }) }
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault()
    const found = ruleFault(draft, text)
    setFault(found)
    if (found === undefined) void create()
    else level.current?.focus()
  }
  const nameOf = (choice: string): string => {
    const named = (text as Readonly<Record<string, unknown>>)[choice]
    return typeof named === 'string' ? named : choice
  }
  const choice = (name: Chosen, choices: readonly string[]): ReactNode => (
    <label>{text[name]}
      <select
        name={name} value={draft[name]}
        onChange={({ target }) => { change({ [name]: target.value }) }}
      >
        {choices.map(one => <option key={one} value={one}>{nameOf(one)}</option>)}
      </select>
    </label>
  )
  const field = (name: Typed, inputMode: 'decimal' | 'numeric' | 'text'): ReactNode => (
    <label>{text[name]}
      <input
        name={name} value={draft[name]} inputMode={inputMode} maxLength={256} autoComplete='off'
        onChange={({ target }) => { change({ [name]: target.value }) }}
      />
    </label>
  )
  return (
    <form className='form rule-form' noValidate onSubmit={onSubmit} onKeyDown={ignoreHeldEnter}>
      <p><strong>{text.newRule}: {symbol}</strong></p>
      <div className='fields'>
        {choice('type', TYPES)}
        {hasPrice(draft) && choice('of', PRICES)}
        {draft.type === 'percent' && choice('within', WINDOWS)}
        {draft.type === 'close' && choice('interval', INTERVALS)}
        {choice('direction', ['above', 'below'])}
        <label>{draft.type === 'percent' ? text.levelPercent : text.level}
          <input
            ref={level} name='level' value={draft.level} inputMode='decimal' autoComplete='off'
            aria-invalid={fault !== undefined} onChange={({ target }) => { change({ level: target.value }) }}
          />
        </label>
      </div>
      <details>
        <summary>{text.more}</summary>
        <div className='fields'>
          {field('hysteresis', 'decimal')}
          {field('cooldown', 'numeric')}
          <label>{text.expires}
            <input
              type='datetime-local' name='expires' value={draft.expires}
              onChange={({ target }) => { change({ expires: target.value }) }}
            />
          </label>
          {field('note', 'text')}
        </div>
      </details>
      <p role='alert' className='problem'>{fault ?? (error === undefined ? '' : wordsOf(error))}</p>
      <button type='submit' className='main' data-create aria-disabled={pending} onClick={ignoreDoubleClick}>
        {text.create}
      </button>
    </form>
  )
}
