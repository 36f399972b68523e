import { type Bar, type BarInterval, type BarsOptions, openBars } from '../bars.js'
import { type BookOptions, type BookSnapshot, openBook } from '../book.js'
import type { PlainChannels } from '../channels.js'
import { useStore } from './store.js'
import { useTopic } from './topics.js'

/** Returns the book of a symbol; undefined until it came, and after a reset. */
export const useBook = (symbol: string, options: BookOptions = {}): BookSnapshot | undefined =>
  useStore(`book ${JSON.stringify([symbol, options])}`, (client, changed) => {
    const view = openBook(client, symbol, options)
    view.onChange(changed)
    const read = (): BookSnapshot | undefined => {
      const snapshot = view.snapshot()
      return snapshot.sequence > 0 ? snapshot : undefined
    }
    return { read, close: view.close }
  }, undefined)

const NO_BARS: readonly Bar[] = []

/** Returns the bars of a symbol, oldest first. A revised bar replaces the former one. */
export const useBars = (symbol: string, interval: BarInterval, options: BarsOptions = {}): readonly Bar[] =>
  useStore(`bars ${JSON.stringify([symbol, interval, options])}`, (client, changed) => {
    const view = openBars(client, symbol, interval, options)
    view.onChange(changed)
    return { read: view.bars, close: view.close }
  }, NO_BARS)

/** Returns the portfolio of the token's user; undefined until it came. */
export const usePortfolio = (): PlainChannels['portfolio']['data'] | undefined => useTopic('portfolio')?.data
