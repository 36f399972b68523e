import type { ReactNode } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import type { Completion } from './use-completion.js'

const words = {
  en: { title: 'What may stand here', found: 'suggestions. Arrow keys choose, Enter takes, Escape closes.' },
  ko: { title: '입력 가능한 값', found: '개 제안. 화살표로 고르고 Enter 로 넣고 Escape 로 닫습니다.' }
} satisfies Words<Record<string, string>>

/** How many are in sight: the list moves with the choice, and needs no bar to scroll. */
const SHOWN = 8

export const optionId = (list: string, index: number): string => `${list}-${index}`

/** The list of suggestions. The focus stays in the text. */
export function Suggestions ({ id, completion }: {
  readonly id: string
  readonly completion: Completion
}): ReactNode {
  const text = useWords(words)
  const { suggestions, active, choose } = completion
  const first = Math.max(0, Math.min(active - SHOWN / 2, suggestions.length - SHOWN))
  const shown = suggestions.map((one, index) => ({ ...one, index })).slice(first, first + SHOWN)
  return (
    <>
      <div role='status' className='hidden'>
        {suggestions.length > 0 && `${suggestions.length} ${text.found}`}
      </div>
      {/* The keys are those of the text; the list follows them. */}
      <div
        id={id} role='listbox' aria-label={text.title} className='suggestions' tabIndex={-1}
        hidden={suggestions.length === 0} data-suggestions
      >
        {shown.map(({ label, detail, index }) => (
          <div
            key={`${index} ${label}`} role='option' id={optionId(id, index)} aria-selected={index === active}
            aria-setsize={suggestions.length} aria-posinset={index + 1}
            onMouseDown={event => {
              event.preventDefault()
              choose(index)
            }}
          >
            <code>{label}</code>
            {detail !== '' && <span>{detail}</span>}
          </div>
        ))}
      </div>
    </>
  )
}
