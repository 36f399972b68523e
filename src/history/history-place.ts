import { MAX_EPOCH, MAX_OFFSET } from '@tickwire/protocol'

/**
 * Where a reader of a topic's history stands: behind one message, by its numbers in the recording and in the
 * log. Clients get it as text, and only servers read it.
 */
export interface HistoryPlace {
  readonly era: number
  readonly epoch: number
  readonly offset: number
  readonly timestamp: number
  readonly sequence: number
}

const TEXT = /^1((?:-[0-9a-z]{1,11}){5})$/
const RADIX = 36

export function formatPlace ({ era, epoch, offset, timestamp, sequence }: HistoryPlace): string {
  return ['1', ...[era, epoch, offset, timestamp, sequence].map(value => value.toString(RADIX))].join('-')
}

/** Returns undefined for a text that no server gave. */
export function parsePlace (text: string): HistoryPlace | undefined {
  const parts = TEXT.exec(text)?.[1]?.slice(1).split('-').map(part => parseInt(part, RADIX))
  if (parts === undefined || !parts.every(Number.isSafeInteger)) return undefined
  const [era, epoch, offset, timestamp, sequence] = parts as [number, number, number, number, number]
  return epoch > MAX_EPOCH || offset > MAX_OFFSET ? undefined : { era, epoch, offset, timestamp, sequence }
}
