import { type Entry, followsOn, type Log, type ReadFrom } from '../../log/log.js'

/** How many messages one read asks for: 16 MiB of the largest messages. */
const PAGE = 250

/** How many histories are read at a time, at most: a page of each may be large. */
export const HISTORIES_AT_A_TIME = 8

/**
 * About how many characters of payloads the server reads and writes at a time for one client. It is also
 * about what a client that does not read can make the server keep for it.
 */
export const SLICE_CHARACTERS = 1 << 20

/** A part of the retained messages of a topic, up to some offset. */
export interface RetainedPage {
  readonly epoch: number
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /** Whether nothing was lost between the offset after which it was read and its first message. */
  readonly followsOn: boolean
  /** The offset after which to read on; absent if there is no more. */
  readonly moreBehind?: number
  /** If there is no more: the offset after which the topic's next messages come. */
  readonly end: number
}

/** Reads the retained messages of a topic between two offsets: the oldest that fit one slice. */
export async function readRetained (
  log: Log, topic: string, behind: number, upTo: number
): Promise<RetainedPage> {
  // If none can lie between them, one message says where the next ones begin.
  const limit = upTo > behind ? PAGE : 1
  const page = await log.read(topic, { offset: behind }, limit)
  const within = page.entries.filter(({ offset }) => offset <= upTo)
  const entries = oldestThatFit(within, SLICE_CHARACTERS)
  const next = page.entries[within.length]
  const end = next?.previous ?? page.last?.offset ?? 0
  const read = { epoch: page.epoch, entries, followsOn: followsOn(page, behind), end }
  const more = entries.length < within.length || (next === undefined && page.entries.length === limit)
  return more ? { ...read, moreBehind: entries.at(-1)!.offset } : read
}

/** All retained messages of a topic, oldest first. */
export interface WholeHistory {
  readonly entries: readonly Entry[]
  /** It contains every message of the topic up to this offset. */
  readonly asOf: number
}

/** Reads all retained messages of a topic. Returns undefined if they are longer than `characters`. */
export async function readWhole (
  log: Log, topic: string, characters: number
): Promise<WholeHistory | undefined> {
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

export const charactersOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { payload }) => sum + payload.length, 0)

/**
 * Reads a topic's messages after `from` and up to an offset: the newest that fit. If there are many, it reads
 * pages from the newest backwards, until they no longer fit.
 */
export async function readNewest (
  log: Log, topic: string, from: ReadFrom, upTo: number, characters: number
): Promise<readonly Entry[]> {
  const isBehind = ({ offset, sequence }: Entry): boolean =>
    'offset' in from ? offset > from.offset : sequence > from.sequence
  const oldest = await log.read(topic, from, PAGE)
  if (oldest.entries.length < PAGE) {
    return newestThatFit(oldest.entries.filter(({ offset }) => offset <= upTo), characters)
  }
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

/** Returns the last entries whose payloads together fit a number of characters; at least one. */
export function newestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let first = entries.length
  for (let sum = 0; first > 0 && (sum += entries[first - 1]!.payload.length) <= characters;) first--
  return entries.slice(Math.min(first, Math.max(0, entries.length - 1)))
}

/** Returns the first entries whose payloads together fit a number of characters; at least one. */
export function oldestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let end = 0
  for (let sum = 0; end < entries.length && (sum += entries[end]!.payload.length) <= characters;) end++
  return entries.slice(0, Math.max(1, end))
}
