import type { Instrument } from '@tickwire/protocol'
import { ORDINARY_WORDS } from './ordinary-words.js'

/** The most symbols of one headline. */
const MAX_SYMBOLS = 32
/** Instruments that share a name, such as a coin against several currencies; a name of more says nothing. */
const MAX_SHARED = 8
/** Words of a name that count. */
const MAX_WORDS = 8
/** A name of one word with fewer letters may be any word or abbreviation. */
const MIN_LETTERS = 4
/** Syllables of Korean, and ideographs, say more than letters do: a name needs this many. */
const MIN_SYLLABLES = 3
/** What must be left of a word without its particle. */
const MIN_STEM = 2

/** What stands behind a company's name, and is left out when people write of it. */
const LEGAL_FORMS: ReadonlySet<string> = new Set([
  'inc', 'incorporated', 'corp', 'corporation', 'co', 'company', 'ltd', 'limited', 'plc', 'llc', 'lp', 'ag',
  'se', 'sa', 'nv', 'ab', 'asa', 'oyj', 'spa', 'gmbh', 'kgaa', 'holdings', 'holding', 'group', 'adr'
])

/** Particles that Korean writes together with the name before them. */
const PARTICLES = /^(?:은|는|이|가|을|를|의|에|와|과|도|로|으로|에서|에게|부터|까지|만|보다|처럼|라고|이라고|측|株|주)$/
const IDEOGRAPHIC = /^[\p{Script=Hangul}\p{Script=Han}\p{Script=Katakana}\p{Script=Hiragana}\p{N}]+$/u

const WORD = /[\p{L}\p{M}\p{N}]+(?:[&'’.-][\p{L}\p{M}\p{N}]+)*/gu

interface Name {
  readonly words: readonly string[]
  readonly symbols: string[]
}

interface Word {
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * Finds the instruments that a text speaks of: by their names, as whole words, the longest first; and by
 * their symbols where they are written as symbols are, `$AAPL`, `(AAPL)` or `(NASDAQ: AAPL)`. It rather
 * misses a name than finds one that is not there.
 */
export class SymbolFinder {
  /** By first word, names with the most words first. */
  private readonly names = new Map<string, Name[]>()
  private readonly tickers = new Map<string, string>()

  constructor (instruments: Iterable<Instrument>) {
    const byName = new Map<string, Name>()
    for (const { symbol, name, venue_symbol: venueSymbol } of instruments) {
      this.tickers.set(symbol, symbol)
      if (venueSymbol !== undefined && !this.tickers.has(venueSymbol)) this.tickers.set(venueSymbol, symbol)
      for (const words of spellingsOf(name ?? '')) {
        const key = words.join(' ')
        const known = byName.get(key)
        if (known === undefined) byName.set(key, { words, symbols: [symbol] })
        else if (!known.symbols.includes(symbol)) known.symbols.push(symbol)
      }
    }
    for (const name of byName.values()) {
      if (name.symbols.length > MAX_SHARED) continue
      const first = name.words[0]!
      const others = this.names.get(first)
      if (others === undefined) this.names.set(first, [name])
      else others.push(name)
    }
    for (const names of this.names.values()) names.sort((a, b) => b.words.length - a.words.length)
  }

  /** Returns the symbols in the order of the text, each once. */
  find (text: string): string[] {
    const found: Array<readonly [at: number, symbols: readonly string[]]> = []
    const words = [...text.matchAll(WORD)].map(match => (
      { text: match[0], start: match.index, end: match.index + match[0].length }))
    for (let index = 0; index < words.length;) {
      const name = this.nameAt(text, words, index)
      if (name !== undefined) found.push([words[index]!.start, name.symbols])
      index += name?.words.length ?? 1
    }
    for (const [at, symbol] of this.tickersIn(text)) found.push([at, [symbol]])
    const symbols = found.sort(([a], [b]) => a - b).flatMap(([, some]) => some)
    return [...new Set(symbols)].slice(0, MAX_SYMBOLS)
  }

  private nameAt (text: string, words: readonly Word[], index: number): Name | undefined {
    const first = words[index]!
    for (const stem of stemsOf(first.text)) {
      const name = this.names.get(stem)?.find(candidate => candidate.words.every((word, offset) => {
        const there = words[index + offset]
        if (there === undefined) return false
        // Between the words of a name there is nothing but a space.
        if (offset > 0 && !/^[.,]? $/.test(text.slice(words[index + offset - 1]!.end, there.start))) return false
        return stemsOf(there.text).includes(word)
      }))
      if (name !== undefined) return name
    }
    return undefined
  }

  private * tickersIn (text: string): Generator<readonly [at: number, symbol: string]> {
    // `$AAPL`, `(005930)`, `(NASDAQ: AAPL)`, `[BTC-USD]`
    const written = /\$([A-Z][\w.^=-]{0,15})|[([](?:[A-Z][A-Za-z]{1,11}:\s?)?([\p{Lu}\p{N}^][\p{L}\p{N}.^=/-]{0,31})[)\]]/gu
    for (const { index, 1: cash, 2: bracketed } of text.matchAll(written)) {
      const ticker = (cash ?? bracketed)!
      const symbol = this.tickers.get(ticker) ?? this.tickers.get(ticker.replace(/[.-]+$/, ''))
      if (symbol === undefined) continue
      // One letter in brackets, or a year, is hardly a symbol.
      const isDoubtful = cash === undefined && (ticker.length < 2 || /^(?:19|20)\d\d$/.test(ticker))
      if (!isDoubtful) yield [index, symbol]
    }
  }
}

/** How news write the legal form of a company whose name says too little without. */
const WRITTEN_FORMS = ['Inc', 'Corp', 'Corporation', 'Co', 'Company', 'Ltd', 'Plc', 'PLC', 'Group']

/** The ways to write an instrument's name, in words: with its legal form, and without. */
function spellingsOf (name: string): Array<readonly string[]> {
  const words = [...name.matchAll(WORD)].map(([word]) => word)
  if (words.length === 0 || words.length > MAX_WORDS) return []
  const bare = [...words]
  while (bare.length > 1 && LEGAL_FORMS.has(bare.at(-1)!.toLowerCase().replaceAll('.', ''))) bare.pop()
  if (bare.length === words.length) return [words].filter(saysEnough)
  return saysEnough(bare) ? [words, bare] : [words, ...WRITTEN_FORMS.map(form => [...bare, form])]
}

function saysEnough (words: readonly string[]): boolean {
  const [word, ...more] = words
  // A name in small letters is a word like any other.
  if (!words.some(part => /[\p{Lu}\p{Lo}]/u.test(part))) return false
  if (more.length > 0) return words.join('').length >= MIN_LETTERS
  if (IDEOGRAPHIC.test(word!)) return word!.length >= MIN_SYLLABLES && !/^\p{N}+$/u.test(word!)
  return /\p{L}/u.test(word!) && word!.length >= MIN_LETTERS && !ORDINARY_WORDS.has(word!)
}

/** A word as it stands there; of an English genitive and of Korean with a particle, also the word itself. */
function stemsOf (word: string): readonly string[] {
  const genitive = /^(.+)['’]s?$/.exec(word)
  if (genitive !== null) return [word, genitive[1]!]
  const stems = [word]
  if (/\p{Script=Hangul}$/u.test(word)) {
    for (const length of [1, 2, 3]) {
      if (word.length - length >= MIN_STEM && PARTICLES.test(word.slice(-length))) {
        const stem = word.slice(0, -length)
        if (/^[\p{L}\p{N}]+$/u.test(stem)) stems.push(stem)
      }
    }
  }
  return stems
}
