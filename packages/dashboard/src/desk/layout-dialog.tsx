import { type ReactNode, useRef } from 'react'
import { useWords, type Words } from '../app/preferences.js'
import { useStore } from '../app/store.js'
import { DEFAULT_LAYOUT, layout, movePanel, placeOf, resize } from './layout.js'
import { panels, type PanelName } from './panels.js'
import { panelWords } from './tabs.js'

const words = {
  en: {
    layout: 'Layout',
    title: 'Layout of the desk',
    hidden: 'hidden',
    place: 'Column {column}, place {cell}',
    share: 'Height of column {column}, place {cell}',
    reset: 'As it was at first',
    close: 'Close'
  },
  ko: {
    layout: '배치',
    title: '데스크 배치',
    hidden: '숨김',
    place: '{column}열 {cell}번',
    share: '{column}열 {cell}번 높이',
    reset: '처음 배치로',
    close: '닫기'
  }
} satisfies Words<Record<string, string>>

/** Says where each panel stands. This browser keeps it. */
export function LayoutDialog (): ReactNode {
  const text = useWords(words)
  const names = useWords(panelWords)
  const now = useStore(layout)
  const dialog = useRef<HTMLDialogElement>(null)
  const places = now.flatMap((cells, column) => cells.map((cell, at) => {
    const fill = (pattern: string): string =>
      pattern.replace('{column}', String(column + 1)).replace('{cell}', String(at + 1))
    return { place: `${column}.${at}`, title: fill(text.place), shareTitle: fill(text.share), ...cell }
  }))
  return (
    <>
      <button type='button' aria-haspopup='dialog' onClick={() => { dialog.current?.showModal() }}>
        {text.layout}
      </button>
      <dialog ref={dialog} className='dialog' aria-label={text.title}>
        <h2>{text.title}</h2>
        <div className='form places'>
          {(Object.keys(panels) as PanelName[]).map(name => (
            <label key={name}>{names[name]}
              <select
                value={placeOf(now, name)}
                onChange={({ target }) => { layout.set(movePanel(now, name, target.value)) }}
              >
                {places.map(({ place, title }) => <option key={place} value={place}>{title}</option>)}
                <option value=''>{text.hidden}</option>
              </select>
            </label>
          ))}
          {places.map(({ place, shareTitle, share }) => (
            <label key={place}>{shareTitle}
              <input
                type='range' min='1' max='6' step='0.5' value={share}
                onChange={({ target }) => { layout.set(resize(now, place, Number(target.value))) }}
              />
            </label>
          ))}
        </div>
        <div className='buttons'>
          <button type='button' onClick={() => { layout.set(DEFAULT_LAYOUT) }}>{text.reset}</button>
          <button type='button' className='main' onClick={() => { dialog.current?.close() }}>
            {text.close}
          </button>
        </div>
      </dialog>
    </>
  )
}
