import { Parser } from 'htmlparser2'
import { plainText } from './plain-text.js'

/** An entry of a feed, as the feed has it. */
export interface FeedItem {
  /** What tells it apart from the feed's other items. */
  readonly id: string
  readonly headline: string
  readonly summary?: string
  /** An address of http or https. */
  readonly link?: string
  /** The text of its date; undefined if it has none. */
  readonly date?: string
  readonly sentiment?: string
}

export interface FeedDocument {
  /** Empty if it has none. */
  readonly title: string
  /** In the order of the document. */
  readonly items: readonly FeedItem[]
  /** Items without a headline. */
  readonly unusable: number
}

/** Bounds for a document that a stranger writes. */
const MAX_ITEMS = 500
const MAX_DEPTH = 100
/** Characters that are kept of an element; a summary is made from fewer. */
const MAX_FIELD = 32_768
const MAX_HEADLINE = 1024
const MAX_SUMMARY = 1000
const MAX_SENTIMENT = 32
const MAX_LINK = 2048

/** The document is not a feed, or not all of one; the message says why. */
export class NotAFeed extends Error {
  override readonly name = 'NotAFeed'
}

type Kind = 'rss' | 'rdf' | 'atom'
const ROOTS: ReadonlyMap<string, Kind> = new Map([['rss', 'rss'], ['RDF', 'rdf'], ['feed', 'atom']])

/** Elements with names of other vocabularies that say what the feed's own do not. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ['dc:date', 'date'], ['dcterms:date', 'date'], ['content:encoded', 'content']
])

/**
 * Reads RSS 2.0, RSS 1.0 or Atom. Entities of a document type are never expanded.
 * @param base the address of the document, to which links are relative; its query is part of no link
 * @throws NotAFeed
 */
export function readFeed (text: string, base: string): FeedDocument {
  const reader = new FeedReader(withoutSecrets(base))
  const parser = new Parser({
    onopentag: (name, attributes) => { reader.open(name, attributes) },
    ontext: part => { reader.text(part) },
    onclosetag: (_name, implied) => { reader.close(implied) }
  }, { xmlMode: true })
  parser.end(text)
  return reader.document()
}

/** An address may hold a key in its query, which an empty link would show to everybody. */
function withoutSecrets (address: string): string {
  const url = new URL(address)
  url.username = url.password = url.search = url.hash = ''
  return url.href
}

interface RawItem {
  readonly fields: Map<string, string>
  about?: string | undefined
  link?: string | undefined
  isPermanent: boolean
  /** The types of Atom's texts: `text`, `html` or `xhtml`. */
  readonly types: Map<string, string>
}

class FeedReader {
  private kind: Kind | undefined
  private prefix = ''
  private readonly path: string[] = []
  private item: RawItem | undefined
  private itemDepth = 0
  private field: string | undefined
  private title = ''
  private readonly items: FeedItem[] = []
  private unusable = 0
  private isWhole = false

  constructor (private readonly base: string) {}

  open (name: string, attributes: Readonly<Record<string, string>>): void {
    if (this.isWhole) return
    if (this.kind === undefined) this.begin(name)
    this.path.push(name)
    if (this.path.length > MAX_DEPTH) throw new NotAFeed(`its elements are more than ${MAX_DEPTH} deep`)
    const own = this.ownName(name)
    if (this.item === undefined) this.openOutside(own, attributes)
    else if (this.path.length === this.itemDepth + 1) this.openField(this.item, name, own, attributes)
    // Words of different elements of XHTML stay apart.
    else this.text(' ')
  }

  text (part: string): void {
    if (this.item === undefined) {
      if (this.isTitle()) this.title = (this.title + part).slice(0, MAX_HEADLINE)
      return
    }
    if (this.field === undefined) return
    const { fields } = this.item
    const before = fields.get(this.field) ?? ''
    if (before.length < MAX_FIELD) fields.set(this.field, (before + part).slice(0, MAX_FIELD))
  }

  /** @param implied the document has no such tag */
  close (implied: boolean): void {
    if (this.path.length === 1 && !implied) this.isWhole = true
    if (this.item !== undefined && this.path.length === this.itemDepth) this.endItem(this.item, implied)
    if (this.path.length <= this.itemDepth + 1) this.field = undefined
    this.path.pop()
  }

  document (): FeedDocument {
    if (this.kind === undefined) throw new NotAFeed('it has no XML element')
    if (!this.isWhole) throw new NotAFeed(`it ends before its last element, after ${this.items.length} items`)
    return { title: plainText(this.title, MAX_HEADLINE), items: this.items, unusable: this.unusable }
  }

  private begin (name: string): void {
    const [, prefix = '', local = ''] = /^(?:(.*):)?(.*)$/.exec(name)!
    this.kind = ROOTS.get(local)
    if (this.kind === undefined) {
      throw new NotAFeed(`its first element is <${name.slice(0, 32)}>, not <rss>, <rdf:RDF> or <feed>`)
    }
    // The items of RSS 1.0 are of another vocabulary than its root.
    this.prefix = this.kind === 'rdf' || prefix === '' ? '' : `${prefix}:`
  }

  /** Returns a name without the feed's own prefix; undefined for a name of another vocabulary. */
  private ownName (name: string): string | undefined {
    const own = name.startsWith(this.prefix) ? name.slice(this.prefix.length) : name
    return own.includes(':') ? undefined : own
  }

  private openOutside (own: string | undefined, attributes: Readonly<Record<string, string>>): void {
    const isItem = this.kind === 'atom'
      ? own === 'entry' && this.path.length === 2
      : own === 'item' && this.path.length <= 3
    if (!isItem || this.items.length >= MAX_ITEMS) return
    this.itemDepth = this.path.length
    this.item = { fields: new Map(), types: new Map(), about: attributes['rdf:about'], isPermanent: false }
  }

  private openField (
    item: RawItem, name: string, own: string | undefined, attributes: Readonly<Record<string, string>>
  ): void {
    const field = own ?? FOREIGN.get(name) ?? (name.endsWith(':sentiment') ? 'sentiment' : undefined)
    // Of elements that occur twice, the first counts.
    this.field = field === undefined || item.fields.has(field) ? undefined : field
    if (this.field === undefined) return
    if (this.kind === 'atom' && field === 'link') {
      this.field = undefined
      if ((attributes['rel'] ?? 'alternate') === 'alternate') item.link ??= attributes['href']
      return
    }
    if (field === 'guid') item.isPermanent = attributes['isPermaLink'] !== 'false'
    item.types.set(this.field, attributes['type'] ?? 'text')
    item.fields.set(this.field, '')
  }

  private endItem (item: RawItem, implied: boolean): void {
    this.item = undefined
    // The document ends in the middle of it.
    if (implied) return
    const made = this.makeItem(item)
    if (made === undefined) this.unusable++
    else this.items.push(made)
  }

  private makeItem (item: RawItem): FeedItem | undefined {
    const field = (...names: readonly string[]): string | undefined => {
      const name = names.find(candidate => (item.fields.get(candidate) ?? '').trim() !== '')
      return name === undefined ? undefined : item.fields.get(name)!.trim()
    }
    const text = (max: number, ...names: readonly string[]): string => {
      const name = names.find(candidate => (item.fields.get(candidate) ?? '').trim() !== '')
      if (name === undefined) return ''
      const isPlain = this.kind === 'atom' && ['text', 'xhtml'].includes(item.types.get(name)!)
      return plainText(item.fields.get(name)!, max, !isPlain)
    }
    const summary = text(MAX_SUMMARY, 'description', 'summary', 'content')
    const headline = text(MAX_HEADLINE, 'title') || summary.slice(0, MAX_HEADLINE)
    if (headline === '') return undefined
    const guid = field('guid', 'id')
    const link = this.linkOf(item.link ?? field('link') ?? (item.isPermanent ? guid : undefined))
    const date = field('pubDate', 'published', 'date', 'updated')
    const sentiment = text(MAX_SENTIMENT, 'sentiment')
    return {
      id: guid ?? item.about ?? link ?? headline,
      headline,
      ...(summary === '' || summary === headline ? {} : { summary }),
      ...(link === undefined ? {} : { link }),
      ...(date === undefined ? {} : { date }),
      ...(sentiment === '' ? {} : { sentiment })
    }
  }

  private linkOf (text: string | undefined): string | undefined {
    if (text === undefined || !URL.canParse(text.trim(), this.base)) return undefined
    const { protocol, href } = new URL(text.trim(), this.base)
    return /^https?:$/.test(protocol) && href.length <= MAX_LINK ? href : undefined
  }

  /** Whether the path is that of the feed's own title. */
  private isTitle (): boolean {
    const { path } = this
    const depth = this.kind === 'atom' ? 2 : 3
    return path.length === depth && this.ownName(path[depth - 1]!) === 'title' &&
      (depth === 2 || this.ownName(path[1]!) === 'channel')
  }
}
