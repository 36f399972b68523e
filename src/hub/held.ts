import { type Entry, followsOn, type Log, type ReadFrom } from '../log/log.js'

/** Messages that are read at a time: of the largest, 16 MiB. */
const PAGE = 250

/** About so much of payloads is read and written at a time for one client, and is what one who does not read it can make wait for it. */
export const SLICE_CHARACTERS = 1 << 20

/** A part of what the log still holds of a topic, up to some offset. */
export interface HeldPage {
  readonly epoch: number
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /** Whether nothing was lost between the offset behind which it was read and what comes next. */
  readonly followsOn: boolean
  /** Where there may be more: behind which offset to read it. */
  readonly moreBehind?: number
  /** Where there is no more: the topic's messages behind this offset are those that come after. */
  readonly end: number
}

/** What the log holds of a topic behind an offset and up to another: the oldest of it that fit a slice. */
export async function readHeld (log: Log, topic: string, behind: number, upTo: number): Promise<HeldPage> {
  const page = await log.read(topic, { offset: behind }, PAGE)
  const within = page.entries.filter(({ offset }) => offset <= upTo)
  const entries = oldestThatFit(within, SLICE_CHARACTERS)
  const next = page.entries[within.length]
  const read = { epoch: page.epoch, entries, followsOn: followsOn(page, behind), end: next?.previous ?? page.last?.offset ?? 0 }
  const more = entries.length < within.length || (next === undefined && page.entries.length === PAGE)
  return more ? { ...read, moreBehind: entries.at(-1)!.offset } : read
}

/** All that the log holds of a topic, and up to which offset that is; undefined where it has more characters than that. */
export async function readWhole (log: Log, topic: string, characters: number): Promise<{ readonly entries: readonly Entry[], readonly asOf: number } | undefined> {
  const all: Entry[] = []
  let left = characters
  for (let behind = 0; ;) {
    const { entries, moreBehind, end } = await readHeld(log, topic, behind, Infinity)
    all.push(...entries)
    left -= charactersOf(entries)
    if (left < 0) return undefined
    if (moreBehind === undefined) return { entries: all, asOf: all.at(-1)?.offset ?? end }
    behind = moreBehind
  }
}

export const charactersOf = (entries: readonly Entry[]): number => entries.reduce((sum, { payload }) => sum + payload.length, 0)

/** A topic's messages from somewhere up to an offset: the newest of them that fit. */
export async function readNewest (log: Log, topic: string, from: ReadFrom, upTo: number, characters: number): Promise<readonly Entry[]> {
  let newest: readonly Entry[] = []
  for (let behind = from; ;) {
    const { entries } = await log.read(topic, behind, PAGE)
    const within = entries.filter(({ offset }) => offset <= upTo)
    newest = newestThatFit([...newest, ...within], characters)
    if (within.length < PAGE) return newest
    behind = { offset: within.at(-1)!.offset }
  }
}

/** Those at the end whose payloads have no more characters together than that; the last at least. */
export function newestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let first = entries.length
  for (let sum = 0; first > 0 && (sum += entries[first - 1]!.payload.length) <= characters;) first--
  return entries.slice(Math.min(first, Math.max(0, entries.length - 1)))
}

/** Those at the beginning; the first at least. */
export function oldestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let end = 0
  for (let sum = 0; end < entries.length && (sum += entries[end]!.payload.length) <= characters;) end++
  return entries.slice(0, Math.max(1, end))
}
