import { type KeyboardEvent, type RefObject, useState } from 'react'
import { type Known, suggest, type Suggestion } from '../schema/complete.js'
import { placeAt } from '../schema/place.js'

export interface Completion {
  readonly suggestions: readonly Suggestion[]
  readonly active: number
  /** Looks what can be completed at the caret. @param asked also where nothing is written yet */
  look (asked: boolean): void
  close (): void
  choose (index: number): void
  /** @returns whether the key was for the list */
  key (event: KeyboardEvent): boolean
}

/** Puts a text in place of another, so that the browser can undo it. */
function replace (area: HTMLTextAreaElement, from: number, to: number, text: string, caret: number): void {
  area.focus()
  area.setSelectionRange(from, to)
  // The only way that keeps the list of what can be undone.
  if (!document.execCommand('insertText', false, text)) {
    area.setRangeText(text, from, to)
    area.dispatchEvent(new Event('input', { bubbles: true }))
  }
  area.setSelectionRange(from + caret, from + caret)
}

/** Completion for a text area: a list that the arrow keys move in, and Enter or Tab take from. */
export function useCompletion (area: RefObject<HTMLTextAreaElement | null>, known: Known): Completion {
  const [suggestions, setSuggestions] = useState<readonly Suggestion[]>([])
  const [active, setActive] = useState(0)
  const close = (): void => { setSuggestions([]) }

  function look (asked: boolean): void {
    const element = area.current
    if (element === null) return
    const { value, selectionStart, selectionEnd } = element
    const place = selectionStart === selectionEnd ? placeAt(value, selectionStart) : undefined
    const isWanted = place !== undefined && (asked || place.from < selectionStart)
    setSuggestions(isWanted ? suggest(place, known) : [])
    setActive(0)
  }

  function choose (index: number): void {
    const [element, chosen] = [area.current, suggestions[index]]
    if (element === null || chosen === undefined) return
    const place = placeAt(element.value, element.selectionStart)
    if (place !== undefined) replace(element, place.from, place.to, chosen.insert, chosen.caret)
    // A field that was named begins with what may stand in it.
    if (place?.wants === 'name') look(true)
    else close()
  }

  function key (event: KeyboardEvent): boolean {
    if (event.key === ' ' && event.ctrlKey) {
      look(true)
      return true
    }
    if (suggestions.length === 0) return false
    switch (event.key) {
      case 'ArrowDown': setActive((active + 1) % suggestions.length); return true
      case 'ArrowUp': setActive((active + suggestions.length - 1) % suggestions.length); return true
      case 'Enter':
      case 'Tab':
        if (event.ctrlKey || event.metaKey || event.shiftKey) return false
        choose(active)
        return true
      case 'Escape': close(); return true
      default: return false
    }
  }
  return { suggestions, active, look, close, choose, key }
}
