import { type ReactNode, useEffect, useRef } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import type { Completion } from './use-completion.js'

const words = {
  en: { title: 'What may stand here', found: 'suggestions. Arrow keys choose, Enter takes, Escape closes.' },
  ko: { title: '입력 가능한 값', found: '개 제안. 화살표로 고르고 Enter 로 넣고 Escape 로 닫습니다.' }
} satisfies Words<Record<string, string>>

export const optionId = (list: string, index: number): string => `${list}-${index}`

/** The list of suggestions. The focus stays in the text. */
export function Suggestions ({ id, completion }: {
  readonly id: string
  readonly completion: Completion
}): ReactNode {
  const text = useWords(words)
  const { suggestions, active, choose } = completion
  const list = useRef<HTMLDivElement>(null)
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' })
  }, [active, suggestions])
  return (
    <>
      <div role='status' className='only-heard'>
        {suggestions.length > 0 && `${suggestions.length} ${text.found}`}
      </div>
      {/* The keys are those of the text; the list follows them. */}
      <div
        ref={list} id={id} role='listbox' aria-label={text.title} className='suggestions' tabIndex={-1}
        hidden={suggestions.length === 0} data-suggestions
      >
        {suggestions.map(({ label, detail }, index) => (
          <div
            key={`${index} ${label}`} role='option' id={optionId(id, index)} aria-selected={index === active}
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
