import { type FormEvent, type ReactNode, useState } from 'react'
import { useAction, useClient } from '@tickwire/client/react'
import { readDecimal } from '../../app/decimals.js'
import { useWords } from '../../app/preferences.js'
import { login } from '../../app/session.js'
import { useStore } from '../../app/store.js'
import { ask, wordsOf } from '../../app/ask.js'
import { ignoreDoubleClick, ignoreHeldEnter } from '../confirm.js'
import { ParameterField } from './parameter-field.js'
import { defaultsOf, parametersOf, type Registered } from './parameters.js'
import { strategyWords } from './strategy-words.js'

type Mode = 'signal' | 'paper'

/** Starts a strategy on a symbol; its parameters are fields made of the schema that the server says. */
export function StartForm ({ symbol, registry, onStarted }: {
  readonly symbol: string
  /** Not empty. */
  readonly registry: readonly Registered[]
  readonly onStarted: () => Promise<void>
}): ReactNode {
  const text = useWords(strategyWords)
  const client = useClient()
  const mayTrade = useStore(login)?.mayTrade === true
  const [name, setName] = useState(registry[0]!.name)
  const registered = registry.find(one => one.name === name) ?? registry[0]!
  /** By strategy, so that what was typed stays when somebody looks at another one. */
  const [typed, setTyped] = useState<Readonly<Record<string, Readonly<Record<string, string>>>>>({})
  const fields = { ...defaultsOf(registered), ...typed[registered.name] }
  const [mode, setMode] = useState<Mode>('signal')
  const [quantity, setQuantity] = useState('1')
  const [fault, setFault] = useState<string>()
  const [start, { pending, error }] = useAction(async (body: object) => {
    await ask(client, 'v1/strategies', { method: 'POST', body })
    await onStarted()
  })
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault()
    const [parameters, amount] = [parametersOf(registered, fields), readDecimal(quantity)]
    const found = amount === undefined ? text.missing : parameters === undefined ? text.number : undefined
    setFault(found)
    if (found !== undefined) return
    void start({ name: registered.name, symbol, mode, quantity: amount, parameters })
  }
  return (
    <form className='form start-form' noValidate onSubmit={onSubmit} onKeyDown={ignoreHeldEnter}>
      <p><strong>{text.start}: {symbol}</strong></p>
      <div className='fields'>
        <label>{text.strategy}
          <select
            name='strategy' value={registered.name} onChange={({ target }) => { setName(target.value) }}
          >
            {registry.map(one => <option key={one.name} value={one.name}>{one.title}</option>)}
          </select>
        </label>
        <label>{text.mode}
          <select name='mode' value={mode} onChange={({ target }) => { setMode(target.value as Mode) }}>
            <option value='signal'>{text.signal}</option>
            {mayTrade && <option value='paper'>{text.paper}</option>}
          </select>
        </label>
        <label>{text.quantity}
          <input
            name='quantity' value={quantity} inputMode='decimal' autoComplete='off'
            onChange={({ target }) => { setQuantity(target.value) }}
          />
        </label>
        {Object.entries(registered.parameters.properties ?? {}).map(([parameter, schema]) => (
          <ParameterField
            key={parameter} name={parameter} schema={schema} value={fields[parameter] ?? ''}
            onChange={value => {
              setTyped({ ...typed, [registered.name]: { ...fields, [parameter]: value } })
            }}
          />
        ))}
      </div>
      <p className='faint'>{registered.description}</p>
      <p role='alert' className='problem'>{fault ?? (error === undefined ? '' : wordsOf(error))}</p>
      <button type='submit' className='main' data-start aria-disabled={pending} onClick={ignoreDoubleClick}>
        {text.startButton}
      </button>
    </form>
  )
}
