import { type Entry, followsOn, type Log, type ReadFrom } from '../../log/log.js'

/** Messages that are read at a time: of the largest, 16 MiB. */
const PAGE = 250

/** About so much of payloads is read and written at a time for one client, and is what one who does not read it can make wait for it. */
export const SLICE_CHARACTERS = 1 << 20

/** A part of what the log still holds of a topic, up to some offset. */
export interface RetainedPage {
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
export async function readRetained (log: Log, topic: string, behind: number, upTo: number): Promise<RetainedPage> {
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
    const { entries, moreBehind, end } = await readRetained(log, topic, behind, Infinity)
    all.push(...entries)
    left -= charactersOf(entries)
    if (left < 0) return undefined
    if (moreBehind === undefined) return { entries: all, asOf: all.at(-1)?.offset ?? end }
    behind = moreBehind
  }
}

export const charactersOf = (entries: readonly Entry[]): number => entries.reduce((sum, { payload }) => sum + payload.length, 0)

/** A topic's messages from somewhere up to an offset: the newest of them that fit. Of many only those are read, from the newest on. */
export async function readNewest (log: Log, topic: string, from: ReadFrom, upTo: number, characters: number): Promise<readonly Entry[]> {
  const isBehind = ({ offset, sequence }: Entry): boolean => 'offset' in from ? offset > from.offset : sequence > from.sequence
  const oldest = await log.read(topic, from, PAGE)
  if (oldest.entries.length < PAGE) return newestThatFit(oldest.entries.filter(({ offset }) => offset <= upTo), characters)
  let newest: readonly Entry[] = []
  for (let end = oldest.last!.sequence; end > 0; end -= PAGE) {
    const start = Math.max(0, end - PAGE)
    const { epoch, entries } = await log.read(topic, { sequence: start }, end - start)
    if (epoch !== oldest.epoch) return await readNewest(log, topic, from, upTo, characters)
    const within = entries.filter(entry => entry.sequence <= end && entry.offset <= upTo && isBehind(entry))
    const fitting = newestThatFit([...within, ...newest], characters)
    const [first] = entries
    const noneBefore = first === undefined || first.sequence > start + 1 || !isBehind(first)
    if (noneBefore || fitting.length < within.length + newest.length) return fitting
    newest = fitting
  }
  return newest
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
