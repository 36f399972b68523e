import type { ReactNode } from 'react'
import { useWords } from '../../app/preferences.js'
import { orderWords, wordFor } from './order-words.js'

/** Whether somebody buys or sells: by a colour, and by a word. */
export function SideOf ({ side }: { readonly side: string }): ReactNode {
  const names = useWords(orderWords)
  return <span className={side === 'buy' ? 'up' : 'down'}>{wordFor(names, side)}</span>
}
