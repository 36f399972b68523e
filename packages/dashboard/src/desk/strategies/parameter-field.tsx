import type { ReactNode } from 'react'
import { choicesOf, isNumber, type ParameterSchema } from './parameters.js'

/** Returns the bounds of a number as people write them. */
function boundsOf ({ minimum, maximum }: ParameterSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` (${minimum}–${maximum})`
  if (minimum !== undefined) return ` (≥ ${minimum})`
  return maximum === undefined ? '' : ` (≤ ${maximum})`
}

/** A field for one parameter of a strategy. */
export function ParameterField ({ name, schema, value, onChange }: {
  readonly name: string
  readonly schema: ParameterSchema
  readonly value: string
  readonly onChange: (typed: string) => void
}): ReactNode {
  const choices = schema.type === 'boolean' ? ['false', 'true'] : choicesOf(schema)
  return (
    <label title={schema.description}>{name}{boundsOf(schema)}
      {choices === undefined
        ? (
          <input
            name={`parameter-${name}`} value={value} autoComplete='off' maxLength={schema.maxLength}
            inputMode={isNumber(schema) ? 'decimal' : 'text'}
            onChange={({ target }) => { onChange(target.value) }}
          />
          )
        : (
          <select
            name={`parameter-${name}`} value={value} onChange={({ target }) => { onChange(target.value) }}
          >
            {choices.map(choice => <option key={choice} value={choice}>{choice}</option>)}
          </select>
          )}
    </label>
  )
}
